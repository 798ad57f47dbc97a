#!/usr/bin/env bash
# Installs recio on a droplet: Debian 12 or 13, Ubuntu 24.04. First every check, without any effect; then the effect.
# It may be run again at any time: what is as it should be stays as it is. It never overwrites a config or a key.
set -euo pipefail

usage() {
    cat <<'END'
sudo deploy/install.sh [options]
  --key-id ID            the API key id that Kalshi gave you
  --key FILE             its private key (PEM); copied to /etc/recio, readable by root alone
  --environment ENV      demo (default: Kalshi's play money) or prod
  --database WHERE       local (default: the distribution's PostgreSQL, over its socket), embedded, or a DSN
  --instance NAME        one of several accounts on this machine: its own unit recio@NAME, config, key, data and port
  --port P               of the status page (default: 8710)
  --wheelhouse DIR       take all Python packages from this folder and ask no index
  --no-host              leave clock, firewall, journal and upgrades of this machine alone
  --no-start             enable the unit and do not start it
  --release-only         make the release beside the one in use, and say its name
  --units-only           put the units and the command of this copy in place, and start nothing
  --dry-run              check, and show what would be done
  --uninstall            remove program and units; config, key, data and database stay. With --instance that account's units alone
  --purge                with --uninstall: remove those too, for ever
END
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
key_id='' key='' environment=demo database=local instance='' port=8710 wheelhouse=''
host=yes start=yes dry=no uninstall=no purge=no only=''
os_release=${RECIO_OS_RELEASE:-/etc/os-release}

while [ $# -gt 0 ]; do
    case $1 in
        --key-id | --key | --environment | --database | --instance | --port | --wheelhouse)
            [ $# -gt 1 ] || { echo "install: $1 needs a value" >&2; exit 2; }
            name=${1#--}
            printf -v "${name//-/_}" '%s' "$2"
            shift ;;
        --no-host) host=no ;;
        --no-start) start=no ;;
        --dry-run) dry=yes ;;
        --release-only) only=release ;;
        --units-only) only=units ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        --help | -h) usage; exit 0 ;;
        *) echo "install: $1 is no option of it" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

account=recio${instance:+-$instance}
unit=recio${instance:+@$instance}.service
timers=()
for each in parity backup drill; do timers+=("recio-$each${instance:+@$instance}.timer"); done
drop_ins=/etc/systemd/system/recio${instance:+@}.service.d
config=/etc/recio/${instance:-recio}.toml
key_place=/etc/recio/${instance:-kalshi}.pem
state=/var/lib/$account
# Who owns the tables, and who only reads them: accounts of this machine, which the local PostgreSQL knows without a password.
owner=$account-owner reader=$account-read
owner_dsn=/etc/recio/${instance:-recio}-owner.dsn

# --- checks: all of them, and no effect ----------------------------------------------------------------------------

problems=()
problem() { problems+=("$1"); }

check_machine() {
    local id='' version=''
    id=$(. "$os_release" && echo "${ID:-}") version=$(. "$os_release" && echo "${VERSION_ID:-}")
    case $id-$version in
        debian-12 | debian-13 | ubuntu-24.04) ;;
        ubuntu-22.04)
            problem "Ubuntu 22.04 has Python 3.10 and systemd 249; recio needs 3.11 and 252: upgrade with do-release-upgrade, or take a new droplet with Ubuntu 24.04" ;;
        *) problem "$id $version is not a system this installs on: take Debian 12, Debian 13 or Ubuntu 24.04" ;;
    esac
    [ "$dry" = yes ] || [ "$(id -u)" = 0 ] || problem "you are not root: put sudo in front"
    local systemd
    systemd=$(systemctl --version 2>/dev/null | awk 'NR == 1 { print $2 }')
    [ "${systemd:-0}" -ge 252 ] || problem "systemd is ${systemd:-not here}; the unit needs 252 or newer"
    local free
    free=$(df --output=avail -m /var/lib | tail -n1)
    [ "$free" -ge 2000 ] || problem "/var/lib has $free MB free; 2000 are needed"
}

check_wishes() {
    [[ $environment =~ ^(demo|prod)$ ]] || problem "--environment $environment: write demo or prod"
    [[ $port =~ ^[0-9]+$ ]] && [ "$port" -ge 1024 ] && [ "$port" -le 65535 ] || problem "--port $port: write 1024 to 65535"
    [[ $database =~ ^(local|embedded|postgresql://.+|postgres://.+)$ ]] || problem "--database $database: write local, embedded, or postgresql://..."
    [[ -z $instance || $instance =~ ^[a-z][a-z0-9-]{0,19}$ ]] || problem "--instance $instance: up to 20 small letters, digits and dashes, a letter first"
    [[ ! $instance =~ ^(recio|(.*-)?(owner|read|rehearsal))$ ]] || problem "--instance $instance: names that end in owner, read or rehearsal belong to what another account has"
    [ -z "$wheelhouse" ] || [ -d "$wheelhouse" ] || problem "--wheelhouse $wheelhouse is no folder"
    [ -e "$config" ] || [ -n "$key_id" ] || problem "--key-id is missing, and there is no $config yet"
    [[ $key_id =~ ^[A-Za-z0-9-]*$ ]] || problem "--key-id has other characters than letters, digits and dashes"
    check_key_id
    [ -e "$key_place" ] || [ -n "$key" ] || problem "--key is missing, and there is no $key_place yet"
    [ -z "$key" ] || check_key
    [ -f "$here/requirements.lock" ] && [ -f "$here/pyproject.toml" ] || problem "$here is not a copy of recio: run this from one"
}

# Two daemons with one key trade one account, each against limits that know nothing of the other's positions.
check_key_id() {
    local each
    [ -n "$key_id" ] && [ ! -e "$config" ] || return 0
    for each in /etc/recio/*.toml; do
        ! grep -qs "^key_id = \"$key_id\"" "$each" ||
            problem "--key-id $key_id is that of $each: two daemons would trade one account, so make another key of another account"
    done
}

check_key() {
    if [ ! -r "$key" ]; then
        problem "--key $key cannot be read"
    elif ! grep -q -- '-----BEGIN .*PRIVATE KEY-----' "$key" || grep -q ENCRYPTED "$key"; then
        problem "--key $key is not an unencrypted private key in PEM form: save there the file that Kalshi offered, unchanged"
    elif [ -e "$key_place" ] && ! cmp -s "$key" "$key_place"; then
        problem "$key_place is another key than --key $key: to change it, stop $unit and replace the file yourself"
    fi
}

check_port() {
    command -v ss >/dev/null || return 0
    systemctl is-active --quiet "$unit" 2>/dev/null && return 0
    [ -z "$(ss -Hltn "sport = :$port")" ] || problem "something listens on port $port: choose another --port"
}

# --- effect: each step says what it does, and does nothing where it is done ------------------------------------------

wrote=no renewed=no switching=no release=''
say() { echo "install: $*"; }
run() {
    echo "  + $*"
    [ "$dry" = yes ] || "$@"
}

# put FILE MODE OWNER: the text on standard input, unless the file has it already.
put() {
    local text
    text=$(cat) wrote=no
    if [ -f "$1" ] && [ "$(cat "$1")" = "$text" ]; then return 0; fi
    wrote=yes
    echo "  + write $1"
    [ "$dry" = yes ] && return 0
    mkdir -p "$(dirname "$1")"
    (umask 077 && printf '%s\n' "$text" > "$1.new")
    chown "$3" "$1.new"
    chmod "$2" "$1.new"
    sync "$1.new" # a loss of power leaves the old text or the new one, never an empty file
    mv "$1.new" "$1"
}

# A new machine upgrades itself in its first minutes and holds apt's locks meanwhile: they are waited for, ten minutes at most.
when_unlocked() {
    local said end=$((SECONDS + 600)) told=no
    until said=$(LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@" 2>&1); do
        if [[ $said != *"Could not get lock"* ]] || [ $SECONDS -ge $end ]; then
            echo "$said" >&2
            return 1
        fi
        [ "$told" = yes ] || say "waits, because this machine installs something else just now"
        told=yes
        sleep 2
    done
}

install_packages() {
    local wanted=(python3-venv ca-certificates curl sudo) missing=() each
    [ "$database" != local ] || wanted+=(postgresql)
    [ "$host" = no ] || wanted+=(chrony ufw unattended-upgrades)
    for each in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$each" 2>/dev/null | grep -q 'ok installed' || missing+=("$each")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "packages: ${missing[*]}"
    run when_unlocked apt-get update -qq
    run when_unlocked apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

make_account() {
    local each wanted=("$account")
    [ "$database" != local ] || wanted+=("$owner" "$reader")
    for each in "${wanted[@]}"; do
        id "$each" >/dev/null 2>&1 || run useradd --system --home-dir "$state" --no-create-home --shell /usr/sbin/nologin "$each"
    done
    # Before the unit makes it: a backup is restored there on a machine whose daemon has not started yet.
    [ -d "$state" ] || run install -d -m 0700 -o "$account" -g "$account" "$state"
}

# A release is named after its version and content, made once, and complete only with its mark.
make_release() {
    local digest version place
    digest=$(cd "$here" && find recio schema.sql recio.toml requirements.lock pyproject.toml deploy systemd -type f ! -name '*.pyc' -print0 |
        sort -z | xargs -0 sha256sum | sha256sum | cut -c1-8)
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/pyproject.toml")
    release=$version-$digest
    place=/opt/recio/releases/$release
    if [ ! -e "$place/complete" ]; then
        say "release $release"
        run rm -rf "$place"
        run python3 -m venv "$place"
        local from=()
        [ -z "$wheelhouse" ] || from=(--no-index --find-links "$wheelhouse")
        run "$place/bin/pip" install --quiet --disable-pip-version-check "${from[@]}" --require-hashes --requirement "$here/requirements.lock"
        install_program "$place"
        run cp -r "$here/deploy" "$here/systemd" "$here/README.md" "$place/"
        run "$place/bin/recio" --version
        run sync # all of it is on the disk before the mark that says so
        run touch "$place/complete"
    fi
}

# The first one is taken into use here. Where another is in use, deploy/upgrade.py switches: it tries first, and can go back.
point_to_release() {
    local used
    used=$(readlink /opt/recio/current || true)
    [ "$used" != "releases/$release" ] || return 0
    if [ -e /opt/recio/current/complete ]; then
        switching=yes
        return 0
    fi
    run ln -sfn "releases/$release" /opt/recio/current.new
    run mv -T /opt/recio/current.new /opt/recio/current
    renewed=yes
}

# From a copy, so that building leaves nothing behind in the one that was downloaded.
install_program() {
    local copy
    copy=/opt/recio/building
    run rm -rf "$copy"
    run mkdir -p "$copy"
    run cp -r "$here/recio" "$here/schema.sql" "$here/recio.toml" "$here/pyproject.toml" "$here/README.md" "$here/LICENSE" "$copy/"
    run "$1/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation "$copy"
    run rm -rf "$copy"
}

# What the local PostgreSQL answers to its administrator.
asked() { env -C / runuser -u postgres -- psql --no-psqlrc --tuples-only --no-align -d "${2:-postgres}" -c "$1"; }

# Three roles: one owns the tables, the daemon's may write them as it does, the third reads. Each is an account of this machine.
make_database() {
    [ "$database" = local ] || return 0
    if [ "$dry" = yes ]; then
        echo "  + roles $account, $owner and $reader and database $account in the local PostgreSQL, unless they are there"
        return 0
    fi
    asked '' >/dev/null 2>&1 || run systemctl start postgresql
    local each found
    found=$(asked "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '$account'")
    # Where the daemon's role owns everything it stays so: a daemon that runs must not lose its rights for a moment.
    [ "$found" != "$account" ] || return 0
    for each in "$account" "$owner" "$reader"; do
        [ "$(asked "SELECT 1 FROM pg_roles WHERE rolname = '$each'")" = 1 ] || run env -C / runuser -u postgres -- createuser "$each"
    done
    [ -n "$found" ] || run env -C / runuser -u postgres -- createdb -O "$owner" "$account"
    put "$owner_dsn" 0600 "$owner:$owner" <<< "postgresql:///$account?host=/var/run/postgresql&user=$owner"
}

# Not where the database lies in the data directory, as after a restore: that is the account's own.
has_owner() { [ -e "$owner_dsn" ] && ! grep -q '^dsn = ""' "$config" 2>/dev/null; }

# recio db as whoever owns the tables.
as_owner() {
    local program=/opt/recio/current/bin/recio
    if has_owner; then
        run env -C / runuser -u "$owner" -- "$program" db "$@" --owner "$owner_dsn" --data-dir "$state/data"
    else
        run env -C / runuser -u "$account" -- "$program" db "$@" --config "$config"
    fi
}

# The tables of a new database, and the rights of whom its owner lets in; the rights on later tables come with their migration.
set_up_tables() {
    has_owner && [ "$dry" = no ] || return 0
    [ -n "$(asked "SELECT 1 FROM pg_tables WHERE tablename = 'runs'" "$account")" ] || as_owner migrate
    [ "$(asked "SELECT has_table_privilege('$account', 'runs', 'INSERT')" "$account")" = t ] || as_owner grant "$account" application
    [ "$(asked "SELECT has_table_privilege('$reader', 'runs', 'SELECT')" "$account")" = t ] || as_owner grant "$reader" read-only
}

dsn_of() {
    case $database in
        local) echo "postgresql:///$account?host=/var/run/postgresql&user=$account" ;;
        embedded) ;;
        *) echo "$database" ;;
    esac
}

write_config() {
    run install -d -m 0755 /etc/recio
    if [ ! -e "$config" ]; then
        put "$config" 0640 "root:$account" <<END
# Every setting with its unit and default: /opt/recio/current/lib/python3*/site-packages/recio/recio.toml
# After a change: systemctl restart ${unit%.service}
mode = "live"
data_dir = "$state/data"
[database]
dsn = "$(dsn_of)"
[alerts]
channels_path = "/run/credentials/$unit/channels"
[kalshi]
environment = "$environment"
key_id = "$key_id"
key_path = "/run/credentials/$unit/kalshi.pem"
[status]
port = $port
[entry]
# recio opens nothing until you write true here.
enabled = false
END
    fi
    [ -e "$key_place" ] || run install -m 0600 -o root -g root "$key" "$key_place"
}

# The channels by which somebody is called are as secret as the key, and no unit starts without its file of them.
write_channels() {
    local each name
    for each in "$config" /etc/recio/*.toml; do
        name=$(basename "$each" .toml)
        [ "$name" != recio ] && name=/etc/recio/$name.channels || name=/etc/recio/channels
        [ -e "$each" ] || [ "$each" = "$config" ] || continue
        [ -e "$name" ] || put "$name" 0600 root:root <<'END'
# Whom recio calls, one on each line: NAME LEAST-SEVERITY URL (docs/operate/alerts.md). Then: systemctl restart recio; recio alert test
#   phone   critical  tgram://BOT-TOKEN/CHAT-ID
#   daemon  ping      https://hc-ping.com/UUID
#   machine ping      https://hc-ping.com/ANOTHER
#   backup  ping      https://hc-ping.com/ANOTHER
#   drill   ping      https://hc-ping.com/ANOTHER
END
    done
}

write_units() {
    local each systemd
    write_channels
    for each in "$here"/systemd/*.service "$here"/systemd/*.timer; do
        put "/etc/systemd/system/$(basename "$each")" 0644 root:root < "$each"
    done
    systemd=$(systemctl --version | awk 'NR == 1 { print $2 }')
    [ "$systemd" -lt 254 ] || put "$drop_ins/back-off.conf" 0644 root:root < "$here/systemd/back-off.conf"
    put /usr/local/bin/recio 0755 root:root < "$here/deploy/recio"
    [ -e /etc/recio/on-failure ] || put /etc/recio/on-failure 0755 root:root < "$here/deploy/on-failure"
}

settle_host() {
    [ "$host" = yes ] || return 0
    put /etc/systemd/journald.conf.d/recio.conf 0644 root:root <<'END'
[Journal]
Storage=persistent
SystemMaxUse=500M
MaxRetentionSec=30day
END
    [ "$wrote" = no ] || ! is_up || run systemctl try-restart systemd-journald
    # From 08:00 to 09:00 UTC on a Thursday the venue pauses (03:00 to 05:00 in New York), in summer and in winter. An upgrade of
    # PostgreSQL restarts it, so that the upgrades themselves wait for that hour too.
    put /etc/systemd/system/apt-daily-upgrade.timer.d/recio.conf 0644 root:root <<'END'
[Timer]
OnCalendar=
OnCalendar=Thu *-*-* 08:05:00 UTC
RandomizedDelaySec=0
Persistent=false
END
    # These two are of the machine's own zone, whose hour of summer New York has as well; doctor looks at the whole year.
    local restart_day restart_at
    restart_day=$(LC_ALL=C date -d '2026-01-01 08:45 UTC' +%A)
    restart_at=$(LC_ALL=C date -d '2026-01-01 08:45 UTC' +%H:%M)
    put /etc/apt/apt.conf.d/52recio 0644 root:root << END
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Update-Days { "$restart_day"; };
Unattended-Upgrade::Automatic-Reboot "true";
Unattended-Upgrade::Automatic-Reboot-Time "$restart_at";
END
    # needrestart, where it is, restarts whatever uses an upgraded library, at any hour: these two it only lists.
    put /etc/needrestart/conf.d/recio.conf 0644 root:root <<'END'
$nrconf{override_rc}{qr(^recio)} = 0;
$nrconf{override_rc}{qr(^postgresql)} = 0;
END
    [ "$dry" = yes ] || is_up || return 0
    local each
    if ! { ufw status 2>/dev/null || true; } | grep -q '^Status: active'; then
        # Whatever sshd listens on stays open, or this very session would be the last.
        for each in $({ sshd -T 2>/dev/null || true; } | awk '$1 == "port" { print $2 }' | grep . || echo 22); do
            run ufw limit "$each/tcp"
        done
        run ufw --force enable
    fi
    run systemctl enable --now chrony
    run systemctl daemon-reload
    run systemctl try-restart apt-daily-upgrade.timer
}

is_up() { [ -d /run/systemd/system ]; }

# The daemon carries no database over by itself: the upgrade does, while nothing trades.
carry_over() {
    [ "$renewed" = yes ] && [ "$known" = yes ] || return 0
    if grep -q '^dsn = ""' "$config" && [ ! -e "$state/data/postgres" ]; then return 0; fi
    if is_up; then run systemctl stop "$unit"; fi
    as_owner migrate
}

start_unit() {
    if is_up; then run systemctl daemon-reload; fi
    run systemctl enable --quiet "$unit" "${timers[@]}" recio-alive.timer
    [ "$start" = yes ] && is_up || return 0
    # One that runs goes on running: nothing that it was started with is another now.
    run systemctl start "$unit" "${timers[@]}" recio-alive.timer
    [ "$dry" = yes ] || say "$(systemctl show --value -p ActiveState "$unit"): $(systemctl show --value -p StatusText "$unit")"
}

remove_all() {
    local each
    for each in /etc/systemd/system/*.wants/recio.service /etc/systemd/system/*.wants/recio[-@]*; do
        [ -L "$each" ] || continue
        if is_up; then run systemctl stop "$(basename "$each")"; fi
        run systemctl disable --quiet "$(basename "$each")"
    done
    run rm -rf /etc/systemd/system/recio.service /etc/systemd/system/recio.service.d \
        /etc/systemd/system/recio[-@]*.service /etc/systemd/system/recio[-@]*.timer /etc/systemd/system/recio@.service.d \
        /usr/local/bin/recio /opt/recio /etc/systemd/journald.conf.d/recio.conf /etc/apt/apt.conf.d/52recio \
        /etc/needrestart/conf.d/recio.conf /etc/systemd/system/apt-daily-upgrade.timer.d/recio.conf
    if is_up; then run systemctl daemon-reload; fi
    if [ "$purge" = yes ]; then
        for each in $(getent passwd | awk -F: '$1 ~ /^recio(-|$)/ { print $1 }'); do remove_account "$each"; done
        run rm -rf /etc/recio
        say "removed, with config, key, data and database; backups in /var/backups/recio* stay"
    else
        say "removed; config and key in /etc/recio, data in /var/lib/recio*, and databases stay (--purge removes them)"
    fi
}

# One account of several: program, units and whatever belongs to the others stay.
remove_one() {
    local each
    [[ $instance =~ ^[a-z][a-z0-9-]{0,19}$ ]] && [ -e "$config" ] ||
        { echo "install: nothing was changed: there is no account --instance $instance here: ls /etc/recio" >&2; exit 78; }
    for each in "$unit" "${timers[@]}"; do
        if is_up; then run systemctl stop "$each"; fi
        run systemctl disable --quiet "$each"
    done
    if [ "$purge" = yes ]; then
        for each in "$account" "$owner" "$reader"; do remove_account "$each"; done
        run rm -f "$config" "$key_place" "$owner_dsn" "/etc/recio/$instance.channels"
        say "removed $unit, with its config, key, data and database; backups in /var/backups/$account and every other account stay"
    else
        say "removed $unit; its config, key, data and database, and every other account stay (--purge removes what is its own)"
    fi
}

remove_account() {
    id "$1" >/dev/null 2>&1 || return 0
    if command -v dropdb >/dev/null && env -C / runuser -u postgres -- psql -c '' >/dev/null 2>&1; then
        run env -C / runuser -u postgres -- dropdb --if-exists "$1"
        run env -C / runuser -u postgres -- dropuser --if-exists "$1"
    fi
    run rm -rf "/var/lib/$1"
    run userdel "$1"
}

if [ "$uninstall" = yes ]; then
    [ "$dry" = yes ] || [ "$(id -u)" = 0 ] || { echo "install: you are not root: put sudo in front" >&2; exit 78; }
    [ -z "$instance" ] || { remove_one; exit 0; }
    remove_all
    exit 0
fi

if [ "$only" = units ]; then
    write_units
    if is_up; then run systemctl daemon-reload; fi
    exit 0
fi

check_machine
[ -n "$only" ] || check_wishes
[ -n "$only" ] || check_port
if [ ${#problems[@]} -gt 0 ]; then
    echo "install: nothing was changed, because:" >&2
    printf '  - %s\n' "${problems[@]}" >&2
    exit 78
fi

[ "$dry" = no ] || say "this would be done:"
if [ "$only" = release ]; then
    make_release
    echo "release $release"
    exit 0
fi
install_packages
known=$([ -e "$config" ] && echo yes || echo no)
make_account
make_release
point_to_release
make_database
write_config
# An account that is new begins with the release in use, whatever this copy is; then all are upgraded together.
if [ "$switching" = yes ]; then write_channels; else write_units; fi
settle_host
set_up_tables
carry_over
start_unit
if [ "$switching" = yes ]; then
    say "another release is in use: deploy/upgrade.py tries this one and switches"
    [ "$start" = yes ] && is_up || { say "then: $here/deploy/upgrade.py --release $release"; exit 0; }
    run "$here/deploy/upgrade.py" --release "$release"
fi
[ "$dry" = no ] || { say "nothing was done"; exit 0; }
say "done. systemctl status ${unit%.service}; the page: ssh -L $port:127.0.0.1:$port, then http://127.0.0.1:$port/"
