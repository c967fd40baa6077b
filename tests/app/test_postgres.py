import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from app import postgres, postgres_user
from app.postgres import Cluster
from app.postgres_system import PostgresError


def connect(cluster: Cluster) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(cluster.migrate_url().replace("+psycopg", ""), autocommit=True)


def quick(folder: Path, port: int = 0) -> Cluster:
    return Cluster(folder / "postgres", port=port, durable=False)


def test_a_second_user_takes_the_running_server_and_the_last_one_out_stops_it(tmp_path: Path) -> None:
    with quick(tmp_path).running() as first:
        url = first.migrate_url()
        with quick(tmp_path).running() as second:
            assert second.migrate_url() == url
        assert first.is_running()
        with connect(first) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert not first.is_running()
    with quick(tmp_path).running() as again, connect(again) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_server_outlives_its_first_user_while_another_process_needs_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.postgres import Cluster\n"
        "with Cluster(Path(sys.argv[1]), durable=False).running(): print('up', flush=True); sys.stdin.read()"
    )
    with quick(tmp_path).running() as cluster:
        command = [sys.executable, "-c", program, str(tmp_path / "postgres")]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "up\n"
    assert cluster.is_running()
    other.communicate("", timeout=30)
    assert not cluster.is_running()


def test_after_sigkill_it_starts_again_with_what_was_committed(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "postgres")
    cluster.start()
    with connect(cluster) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    with Cluster(tmp_path / "postgres").running() as again, connect(again) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_server_left_behind_by_a_killed_program_is_taken_over_and_stopped(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from app.postgres import Cluster\n"
        "with Cluster(Path(sys.argv[1]), durable=False).running(): os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "postgres")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert quick(tmp_path).is_running()
    with quick(tmp_path).running() as cluster:
        pass
    assert not cluster.is_running()


def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with quick(tmp_path).running() as cluster:
        assert cluster.is_running()


def test_a_pid_file_whose_number_is_now_another_programs_is_no_obstacle(tmp_path: Path) -> None:
    with quick(tmp_path).running() as cluster:
        kept = (cluster.data / "postmaster.pid").read_text().splitlines()
    (cluster.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *kept[1:]]) + "\n")
    assert not cluster.is_running()
    with quick(tmp_path).running() as again:
        assert again.is_running()


def test_the_folder_may_be_deep_and_its_name_odd(tmp_path: Path) -> None:
    with quick(tmp_path / ("deep " * 20) / "it's here").running() as cluster, connect(cluster) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_port_in_use_says_what_to_set(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PostgresError, match="SPINDLESHARE_DATABASE_PORT"),
    ):
        quick(tmp_path, taken.getsockname()[1]).start()


def test_only_who_has_the_password_gets_in(tmp_path: Path) -> None:
    with quick(tmp_path).running() as cluster:
        url = cluster.migrate_url().replace("+psycopg", "")
        password = url.split(":")[2].partition("@")[0]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url.replace(password, "guess"))
        secret = tmp_path / "postgres" / f"{postgres.ADMIN}.secret"
        assert secret.stat().st_mode & 0o077 == 0


def test_it_can_be_removed_while_it_runs(tmp_path: Path) -> None:
    cluster = quick(tmp_path)
    cluster.start()
    cluster.remove()
    assert not (tmp_path / "postgres").exists()
    cluster.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a stand-in")
@pytest.mark.parametrize("closed", [False, True])
def test_root_where_namespaces_are_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """The same cluster is then run as `nobody`, also below a folder that nobody may enter, and back again."""
    tmp_path.chmod(0o700 if closed else 0o755)
    with quick(tmp_path).running():
        pass
    with monkeypatch.context() as patch:
        patch.setattr(postgres_user, "mapped", lambda: None)
        with quick(tmp_path).running() as cluster:
            assert cluster.data.stat().st_uid == pwd.getpwnam("nobody").pw_uid
            with connect(cluster) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with quick(tmp_path).running() as cluster, connect(cluster) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/shm").exists(), reason="needs a small disk of its own")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], check=False).returncode != 0:
        pytest.skip("mounting is forbidden here")
    try:
        started = time.monotonic()
        with pytest.raises(PostgresError, match="no space left on the disk"):
            quick(small).start()
        assert time.monotonic() - started < 30
    finally:
        subprocess.run(["umount", small], check=True)
