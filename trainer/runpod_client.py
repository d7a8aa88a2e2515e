"""RunPod's REST API as raw JSON, retried where that is safe.

RunPod's own client hides a failed job's error and does not retry; this one returns what the server answered.
"""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Any

import httpx

from astra_lib.core.errors import InputError, MissingError, ServiceError
from astra_lib.core.settings import Settings

MAX_BODY = 10 << 20
_AGAIN = {429, 500, 502, 503, 504}


class RunpodClient:
    """One endpoint. `base_url` ends in /v2; times are seconds."""

    def __init__(
        self,
        base_url: str,
        endpoint: str,
        api_key: str,
        *,
        timeout_s: float = 30.0,
        attempts: int = 5,
        backoff_s: float = 0.5,
    ) -> None:
        self.endpoint, self.attempts, self.backoff_s = endpoint, attempts, backoff_s
        self.address = f"{base_url.rstrip('/')}/{endpoint}"
        # A proxy of the environment must not see the local control plane's key.
        local = httpx.URL(self.address).host in ("127.0.0.1", "localhost")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {api_key}"}, timeout=timeout_s, trust_env=not local
        )

    @classmethod
    def open(cls, settings: Settings) -> RunpodClient:
        """The configured RunPod, or the local control plane, which is started if need be."""
        if settings.runpod.base_url:
            key = os.environ.get("ASTRA_RUNPOD_API_KEY", "")
            if not key:
                raise InputError(
                    "no RunPod API key",
                    where="ASTRA_RUNPOD_API_KEY",
                    remedy="Set it, or leave ASTRA_RUNPOD_BASE_URL empty",
                )
            return cls(settings.runpod.base_url, settings.runpod.endpoint_id, key)
        from . import control_plane

        base_url, key = control_plane.up(settings)
        return cls(base_url, settings.runpod.endpoint_id, key)

    def __enter__(self) -> RunpodClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def run(self, job_input: dict[str, Any], *, execution_s: float, ttl_s: float, webhook: str = "") -> str:
        """Queue a job and return its id; not repeated after a timeout, as RunPod may have taken the first."""
        body: dict[str, Any] = {
            "input": job_input,
            "policy": {
                "executionTimeout": int(execution_s * 1000),
                "ttl": int(ttl_s * 1000),
                "lowPriority": False,
            },
        }
        if webhook:
            body["webhook"] = webhook
        answer = self._call("POST", "/run", json=body, repeatable=False)
        if not isinstance(answer.get("id"), str):
            raise ServiceError("answered without a job id", where=f"{self.address}/run")
        return answer["id"]

    def status(self, job_id: str) -> dict[str, Any] | None:
        """The status JSON, or None when RunPod knows no such job (any more): results are kept 30 minutes."""
        try:
            return self._call("GET", f"/status/{job_id}")
        except MissingError:
            return None

    def cancel(self, job_id: str) -> dict[str, Any] | None:
        """The new status, or None when there is no such job."""
        try:
            return self._call("POST", f"/cancel/{job_id}")
        except MissingError:
            return None

    def retry(self, job_id: str) -> dict[str, Any]:
        """Queue a FAILED or TIMED_OUT job again."""
        return self._call("POST", f"/retry/{job_id}", repeatable=False)

    def health(self) -> dict[str, Any]:
        """`{"jobs": {…}, "workers": {…}}`"""
        return self._call("GET", "/health")

    def _call(self, method: str, path: str, *, json: Any = None, repeatable: bool = True) -> dict[str, Any]:
        where = f"{self.address}{path}"
        for attempt in range(1, self.attempts + 1):
            pause = self.backoff_s * 2 ** (attempt - 1)
            try:
                response = self._http.request(method, where, json=json)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                reason = f"cannot be reached ({error})"
            except httpx.HTTPError as error:
                reason = f"no answer ({type(error).__name__})"
                if not repeatable:
                    raise ServiceError(
                        f"{reason}; RunPod may have taken the request",
                        where=where,
                        remedy="Submit again: a job that runs is found by its heartbeat",
                    ) from None
            else:
                if response.status_code not in _AGAIN:
                    return self._read(response, where)
                reason = f"HTTP {response.status_code}"
                wait = response.headers.get("Retry-After", "")
                pause = max(pause, min(float(wait), 30.0)) if wait.isdigit() else pause
            if attempt < self.attempts:
                time.sleep(pause)
        raise ServiceError(
            f"{reason}, {self.attempts} times",
            where=where,
            remedy="Check runpod.base_url and the network, then run it again",
        )

    def _read(self, response: httpx.Response, where: str) -> dict[str, Any]:
        if response.status_code == 404:
            raise MissingError("no such job or endpoint", where=where)
        if response.status_code in (401, 403):
            raise ServiceError("the API key was refused", where=where, remedy="Check ASTRA_RUNPOD_API_KEY")
        if response.status_code == 413:
            raise InputError(f"the job is larger than {MAX_BODY >> 20} MB", where=where)
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.status_code >= 400 or not isinstance(body, dict):
            said = body.get("error") if isinstance(body, dict) else response.text[:200]
            raise ServiceError(f"HTTP {response.status_code}: {said}", where=where)
        return body
