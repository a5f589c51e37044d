"""REST v10: all routes, and how one is found."""

from __future__ import annotations

from . import app_routes, channel_routes, hook_routes
from .errors import ApiError, not_found
from .request import Route

ROUTES: tuple[Route, ...] = (*app_routes.ROUTES, *channel_routes.ROUTES, *hook_routes.ROUTES)


class Router:
    """Finds the route of a request."""

    def __init__(self) -> None:
        self._routes = [(route, route.pattern()) for route in ROUTES]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its arguments. Raises ApiError 404 or 405."""
        is_known = False
        for route, pattern in self._routes:
            match = pattern.match(path)
            if match is None:
                continue
            if route.method == method:
                args = match.groupdict()
                if "/@original" in route.path:
                    args["message"] = "@original"
                return route, args
            is_known = True
        if is_known:
            raise ApiError(405, 0, "405: Method Not Allowed")
        raise not_found()
