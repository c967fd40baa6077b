"""Our server seen by node-opcua's client, which nobody here wrote."""

import asyncio
import json
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from machine_agents.simulator.chunks import heartbeat
from tests.machine_agents.simulator.bench import bench, expected, recording

SCRIPT = Path(__file__).with_name("browse.mjs")
NODE_MODULES = Path(__file__).parents[2] / "node" / "node_modules"


def node_command() -> str:
    command = shutil.which("node")
    if command is None or not (NODE_MODULES / "node-opcua").exists():
        reason = "NO NODE-OPCUA TO TALK TO: run `make test`, or `npm ci` in tests/node"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return command


def javascript_time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_node_opcua_browses_and_subscribes(tmp_path: Path) -> None:
    command = node_command()
    observations = recording(3_000)

    async def go() -> dict[str, object]:
        async with bench(tmp_path, observations) as one:
            peer = await asyncio.create_subprocess_exec(
                command,
                str(SCRIPT),
                one.server.url,
                str(tmp_path / "peer"),
                "M",
                "60",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PACKAGES": str(NODE_MODULES)},
            )
            try:
                await asyncio.wait_for(one.play(), 90)
                (tmp_path / "peer" / "played").touch()
                out, errors = await asyncio.wait_for(peer.communicate(), 60)
            finally:
                if peer.returncode is None:
                    peer.kill()
                    print((await peer.communicate())[1].decode())
            assert peer.returncode == 0, errors.decode()
            found: dict[str, object] = json.loads(out.decode().splitlines()[-1])
            return found

    found = asyncio.run(go())
    assert (found["unit"], found["unitId"]) == ("r/min", 5394509)
    assert found["state"] == "NotExecuting"
    assert isinstance(found["nodes"], int)
    assert found["nodes"] > 100
    end = observations[-1].source_time + timedelta(seconds=1, microseconds=999)
    assert found["last"] == javascript_time(heartbeat(end).source_time)
    got = found["got"]
    assert isinstance(got, list)
    # node-opcua asks for the default trigger: a value that only comes again is no change.
    wanted = expected(observations, "spindle.S1.speed")
    changes = [one for one, before in zip(wanted, [(object(), None), *wanted], strict=False) if one[0] != before[0]]
    stamps = [(value, at) for value, at, _, _ in got[1:]]
    assert stamps == [(value, javascript_time(at)) for value, at in changes]
    assert all(server_time for _, _, _, server_time in got)
