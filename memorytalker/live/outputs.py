"""Where live frames go: UDP packets, lines on standard output. None of them ever waits for a receiver."""

from __future__ import annotations

import ipaddress
import socket
import threading
import uuid
from collections.abc import Callable
from io import RawIOBase
from typing import Protocol

from memorytalker.errors import ExecutionError, InputError
from memorytalker.live.frame import LiveFrame
from memorytalker.live.packets import live_link_packet, subject_name, vmc_packets
from memorytalker.live.ring import Ring

#: Seconds after which a thread that writes looks whether it should end.
_PATIENCE = 0.5


class LiveError(InputError):
    """A live source or receiver that cannot be used; the message is one plain sentence that names the remedy."""


class LiveStopped(ExecutionError):
    """A live source that ended although nobody stopped it, such as a microphone that was unplugged."""


class Output(Protocol):
    """A receiver of frames."""

    def send(self, frame: LiveFrame) -> None:
        """Send a frame without waiting."""

    def close(self) -> None:
        """Send what is left, and stop."""


class UdpOutput:
    """Packets over UDP to one address. A packet that the system has no room for is dropped, and counted.

    Args:
        address: host and port of the receiver.
        packets: makes the packets of a frame.

    Raises:
        LiveError: a host that is not known.
    """

    def __init__(self, address: tuple[str, int], packets: Callable[[LiveFrame], list[bytes]]) -> None:
        try:
            found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)
        except OSError:
            raise LiveError(f"There is no host {address[0]!r}; give its name or address, such as 127.0.0.1.") from None
        family, _, _, _, self._target = found[0]
        self._packets = packets
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.dropped = 0

    def send(self, frame: LiveFrame) -> None:
        """Send a frame's packets; nobody need listen."""
        for packet in self._packets(frame):
            try:
                self._socket.sendto(packet, self._target)
            except OSError:  # no room, or nobody listens: the next frame comes in a thirtieth of a second
                self.dropped += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def live_link_output(address: tuple[str, int], subject: str) -> UdpOutput:
    """Frames for Unreal's Live Link; see `packets.live_link_packet`. Raises LiveError or InputError."""
    device, subject = uuid.uuid4(), subject_name(subject)
    return UdpOutput(address, lambda frame: [live_link_packet(frame, subject, device)])


def vmc_output(address: tuple[str, int]) -> UdpOutput:
    """Frames for programs that speak VMC; see `packets.vmc_packets`. Raises LiveError."""
    return UdpOutput(address, vmc_packets)


class LineOutput:
    """One line of JSON a frame, written by a thread of its own, so that a full pipe stops nothing.

    Args:
        file: without a buffer of its own, such as a duplicate of standard output.
        ring: keeps what has not been written; what is older is lost, and counted.
    """

    def __init__(self, file: RawIOBase, ring: Ring | None = None) -> None:
        self._file, self._ring = file, ring or Ring()
        self.lost = 0
        self.broken = False  # nobody reads any more
        self._thread = threading.Thread(target=self._write, name="live lines", daemon=True)
        self._thread.start()

    def send(self, frame: LiveFrame) -> None:
        """Hand a frame to the thread."""
        self._ring.put(frame.json() + "\n")

    def close(self) -> None:
        """Give the thread a little time to write the rest."""
        self._ring.close()
        self._thread.join(4 * _PATIENCE)

    def _write(self) -> None:
        place = self._ring.end
        while self._ring.wait(place, _PATIENCE) or not self._ring.closed:
            taken = self._ring.take(place)
            place, self.lost = taken.place, self.lost + taken.lost
            try:
                left = memoryview("".join(taken.items).encode("utf-8"))
                while left:
                    left = left[self._file.write(left) or 0 :]
            except (OSError, ValueError):  # ValueError: it was closed
                self.broken = True
                return


def parse_address(text: str, port: int) -> tuple[str, int]:
    """Read HOST, PORT or HOST:PORT.

    Args:
        text: as it was typed; an IPv6 address with a port stands in brackets.
        port: where none is given.

    Returns:
        Host (127.0.0.1 where only a port is given) and port.

    Raises:
        LiveError: a port that does not exist.
    """
    host, colon, number = text.rpartition(":")
    if text.isdigit():
        host, number = "127.0.0.1", text
    elif not colon or _is_ipv6(text):
        host, number = text, str(port)
    host = host.strip("[]") or "127.0.0.1"
    if not number.isdigit() or not 1 <= int(number[:6]) <= 65535:
        raise LiveError(f"There is no port {number[:20]!r}; write HOST:PORT with a port from 1 to 65535.")
    return host, int(number)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
