"""The application: all routes, all answers to errors, around the use cases."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from skep.errors import SkepError
from skep.marketplace.registry.http import blobs, health, manifests, packages, referrers, tags
from skep.marketplace.registry.http.context import UseCases
from skep.marketplace.registry.http.errors import (
    answer_http_exception,
    answer_nobody,
    answer_skep_error,
    answer_unexpected,
)

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def application(cases: UseCases, lifespan: Lifespan) -> Starlette:
    """An ASGI application over ``cases``; ``lifespan`` holds what must be closed at the end."""
    app = Starlette(
        routes=[
            *health.ROUTES,
            *packages.ROUTES,
            *blobs.ROUTES,
            *manifests.ROUTES,
            *tags.ROUTES,
            *referrers.ROUTES,
        ],
        exception_handlers={
            SkepError: answer_skep_error,
            HTTPException: answer_http_exception,
            ClientDisconnect: answer_nobody,
            Exception: answer_unexpected,
        },
        lifespan=lifespan,
    )
    app.state.use_cases = cases
    return app
