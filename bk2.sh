R=/tmp/h/b19/.venv/bin/recio; DD=/tmp/h/b19w/demo/data; B=/tmp/h/b19w/bk2; rm -rf $B; 
mk(){ $R backup --data-dir $DD --to $B "$@" 2>&1 | tail -3; }
echo "== 9 full disk"; mkdir -p /tmp/h/b19w/tm; mount -t tmpfs -o size=14m tmpfs /tmp/h/b19w/tm
B=/tmp/h/b19w/tm/b; mk; mk --kind dump
# age the first by hand: older than 30 days
python3 - <<'P'
import json,pathlib,os
b=sorted(pathlib.Path('/tmp/h/b19w/tm/b/base').iterdir())
for i,x in enumerate(b):
    f=x/'backup.json'; j=json.loads(f.read_text()); j['finished_at']=j['started_at']='2026-09-0%dT00:00:00+00:00'%(i+1); f.write_text(json.dumps(j)); x.rename(x.parent/('2026090%dT000000Z'%(i+1)))
P
ls $B/base; dd if=/dev/zero of=/tmp/h/b19w/tm/fill bs=1M count=8 2>/dev/null; df /tmp/h/b19w/tm | tail -1
echo "-- backup with --keep 1 --keep-days 30 on full disk"; mk --keep 1; ls $B/base; mk --keep 1; ls -A $B/base
rm -f /tmp/h/b19w/tm/fill; umount /tmp/h/b19w/tm
echo "== 10"; B=/tmp/h/b19w/bk3; rm -rf $B; mk; sleep 1; mk; o=$(ls $B/base | head -1); rm $B/base/$o/backup.json
$R backup --data-dir $DD --to $B --check; echo check rc $?; $R drill --data-dir $DD --from $B; echo drill rc $?; $R restore --from $B --into /tmp/h/b19w/rs; echo restore rc $?; mk
echo "== 11"; B=/tmp/h/b19w/bk4; rm -rf $B; mk; python3 - <<'P'
import json,pathlib
x=next(pathlib.Path('/tmp/h/b19w/bk4/base').iterdir()); f=x/'backup.json'; j=json.loads(f.read_text()); j['finished_at']=j['started_at']='2031-01-01T00:00:00+00:00'; f.write_text(json.dumps(j)); import hashlib
x.rename(x.parent/'20310101T000000Z')
s=pathlib.Path('/tmp/h/b19w/bk4/base/20310101T000000Z/SHA256SUMS'); d=[]
for l in s.read_text().splitlines():
    h,n=l.split('  '); d.append(hashlib.sha256((s.parent/n).read_bytes()).hexdigest()+'  '+n)
s.write_text('\n'.join(d)+'\n')
P
mk; ls $B/base;  $R backup --data-dir $DD --to $B --check; echo check rc $?; $R drill --data-dir $DD --from $B; echo drill rc $?
