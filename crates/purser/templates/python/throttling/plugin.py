"""Lets an account make so many requests within a time."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.exports import throttling as wit

NAME = "requests"

limit = {}


class Throttling(exports.Throttling):
    def configure(self, config):
        global limit
        limit, problems = json.loads(config), []
        for path, most in [("requests", 2**53), ("per_seconds", 3_024_000), ("advise_from", 2**53)]:
            value = limit.get(path, 1 if path == "advise_from" else None)
            if type(value) is not int or not 1 <= value <= most:
                problems.append(types.ConfigProblem(path, f"must be a whole number from 1 to {most}"))
        unknown = set(limit) - {"requests", "per_seconds", "advise_from"}
        problems.extend(types.ConfigProblem(path, "no such setting") for path in sorted(unknown))
        if problems:
            raise Err(problems)
        requests, seconds = limit["requests"], limit["per_seconds"]
        return [wit.Window(NAME, wit.Scope.ACCOUNT, wit.Measure.REQUESTS, seconds, requests)]

    def decide(self, request, readings):
        # A hold that is open is not refused its extension: the call would be cut off.
        if request.action == wit.Action.EXTEND_HOLD:
            return wit.Decision_Allow()
        made, requests = readings[0].value, limit["requests"]
        allowed = f"{requests} requests in {limit['per_seconds']} s"
        if made >= requests:
            reason = f"{allowed} are allowed, and {made} were made"
            return wit.Decision_Deny(wit.Denial(NAME, reason, max(readings[0].resets_in_ms, 1)))
        if made >= limit.get("advise_from", requests):
            suggestion = f"with this, {made + 1} of {allowed} are used: slow down"
            return wit.Decision_AllowWithAdvice(wit.Advice(NAME, suggestion))
        return wit.Decision_Allow()
