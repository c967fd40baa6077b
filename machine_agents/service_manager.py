"""What systemd is told (sd_notify): ready, what we do, alive, stopping. Without systemd it does nothing.

The watchdog is fed by the agent's own loop, which also writes the status: a loop that hangs is killed and started
again, which loses nothing. A machine that is switched off must not look like a hang, so it is not fed by values.
"""

import os
import socket
from collections.abc import Mapping

UNIT = """\
# SpindleShare machine agent, one for each machine. Made by: python -m machine_agents unit --config {config}
#   sudo cp this /etc/systemd/system/spindleshare-agent.service && sudo systemctl enable --now spindleshare-agent
[Unit]
Description=SpindleShare machine agent
After=network-online.target time-sync.target
Wants=network-online.target time-sync.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={python} -m machine_agents run --config {config}
User={user}
Restart=always
RestartSec=5
# 3 configuration, 4 data folder: starting again changes nothing until somebody acts.
RestartPreventExitStatus=3 4
WatchdogSec=60
TimeoutStopSec=20
# It needs the network, its own folder and nothing else.
ReadWritePaths={data}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
LockPersonality=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
SystemCallFilter=@system-service
UMask=0077
MemoryMax=512M

[Install]
WantedBy=multi-user.target
"""


class Notifier:
    """Sends states to the socket that systemd names in NOTIFY_SOCKET."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for Linux' abstract namespace (sd_notify(3)).
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self, doing: str) -> None:
        """The loop turns; `doing` is shown by `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={doing}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(self._address)
                channel.sendall(message.encode())
        except OSError:
            # A manager that does not listen must not stop the meter.
            return
