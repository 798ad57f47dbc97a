"""The routes of the entrance: who asks, logging in and out, sessions; whether it is allowed is the gate's to say."""

from __future__ import annotations

from recio.web.answers import Credentials, Ended, Me, Nothing, SessionPath, SessionRow, Sessions
from recio.web.gate import By, Gate, Visitor, refuse_cross_origin
from recio.web.interface import Asked, May, Reply, Route
from recio.web.logins import Role
from recio.web.refusals import NotAsked


def entrance_routes(gate: Gate) -> list[Route]:
    async def me(asked: Asked[Nothing, Nothing, Nothing]) -> Me:
        return me_of(asked.visitor, is_local=asked.arrival.is_local)

    async def log_in(asked: Asked[Nothing, Credentials, Nothing]) -> Reply:
        refuse_cross_origin(asked.arrival, asked.headers)
        entered = await gate.log_in(asked.arrival, asked.body.name, asked.body.password)
        return Reply(
            model=me_of(entered.visitor, is_local=asked.arrival.is_local),
            cookie=entered.cookie.get_secret_value(),
            cookie_seconds=gate.session_hours * 3_600,
        )

    async def log_out(asked: Asked[Nothing, Nothing, Nothing]) -> Reply:
        session = asked.who.session
        ended = session is not None and await gate.end(session.session_id, asked.who.name)
        return Reply(model=Ended(ended=ended), cookie="")

    async def sessions(asked: Asked[Nothing, Nothing, Nothing]) -> Sessions:
        this = asked.who.session
        return Sessions(
            sessions=[
                SessionRow(
                    session_id=each.session_id,
                    login=each.login,
                    address=each.address,
                    began_at=each.began_at,
                    ends_at=each.ends_at,
                    is_this=this is not None and this.session_id == each.session_id,
                )
                for each in await gate.sessions()
                if _may_see(asked.who, each.login)
            ]
        )

    async def end(asked: Asked[Nothing, Nothing, SessionPath]) -> Ended:
        found = [each for each in await gate.sessions() if each.session_id == asked.path.session_id]
        if not found or not _may_see(asked.who, found[0].login):
            raise NotAsked(404, f"session_id = {asked.path.session_id}: no such session runs")
        return Ended(ended=await gate.end(asked.path.session_id, asked.who.name))

    return [
        Route(method="GET", path="/me", name="me", summary="Who asks", gives=Me, do=me, may=May.ANYBODY),
        Route(
            method="POST", path="/login", name="log_in", summary="Begin a session", gives=Me, do=log_in,
            may=May.ANYBODY, body=Credentials,
        ),
        Route(method="POST", path="/logout", name="log_out", summary="End this session", gives=Ended, do=log_out),
        Route(
            method="GET", path="/sessions", name="sessions", summary="Sessions that run; a reader sees his own",
            gives=Sessions, do=sessions,
        ),
        Route(
            method="POST", path="/sessions/{session_id}/end", name="end_session", summary="End a session",
            gives=Ended, do=end, parts=SessionPath, refusals=(404,),
        ),
    ]  # fmt: skip


def _may_see(visitor: Visitor, login: str) -> bool:
    """Whoever is at this machine as an operator, an operator, and everybody his own."""
    return visitor.role is Role.OPERATOR or (visitor.by is By.SESSION and visitor.name == login)


def me_of(visitor: Visitor | None, *, is_local: bool) -> Me:
    session = None if visitor is None else visitor.session
    return Me(
        name=None if visitor is None else visitor.name,
        role=None if visitor is None else visitor.role,
        by=None if visitor is None else visitor.by.value,
        is_local=is_local,
        csrf=None if visitor is None else visitor.csrf or None,
        ends_at=None if session is None else session.ends_at,
    )
