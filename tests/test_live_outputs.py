"""Receivers of live frames: packets arrive, nobody who is late holds anybody up, and nobody loses a frame."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from contextlib import closing

import loops
import pytest
from live_case import live_frame
from pythonosc.osc_bundle import OscBundle
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_sync

from memorytalker.live.outputs import LineOutput, LiveError, UdpOutput, live_link_output, parse_address, vmc_output
from memorytalker.live.ring import Ring
from memorytalker.live.websocket import WebSocketOutput


def receiver() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    found.settimeout(5)
    return found


def test_packets_arrive_over_udp() -> None:
    with closing(receiver()) as unreal, closing(receiver()) as vrm:
        outputs = [live_link_output(unreal.getsockname(), "Ann"), vmc_output(vrm.getsockname())]
        for output in outputs:
            output.send(live_frame())
        packet = unreal.recv(2000)
        assert packet[:5] == b"\x06\0\0\0$" and b"Ann" in packet
        assert OscBundle(vrm.recv(2000)).num_contents > 3
        for output in outputs:
            output.close()
            assert output.dropped == 0


def test_a_packet_that_cannot_be_sent_is_dropped_and_counted() -> None:
    output = UdpOutput(("127.0.0.1", 9), lambda frame: [bytes(100_000), b"x"])  # no packet is as large as that
    output.send(live_frame())
    output.close()
    assert output.dropped == 1


def test_a_receiver_that_is_gone_stops_nothing() -> None:
    with closing(receiver()) as gone:
        address = gone.getsockname()
    output = live_link_output(address, "Ann")
    for number in range(50):
        output.send(live_frame(number))
    output.close()


def test_hosts_and_ports() -> None:
    assert parse_address("8000", 1) == ("127.0.0.1", 8000)
    assert parse_address("10.0.0.2", 11111) == ("10.0.0.2", 11111)
    assert parse_address("unreal.local:5", 1) == ("unreal.local", 5)
    assert parse_address("::1", 7) == ("::1", 7) and parse_address("[::1]:9", 7) == ("::1", 9)
    for wrong in ("host:0", "host:70000", "host:http", "99999999999999999999"):
        with pytest.raises(LiveError, match="from 1 to 65535"):
            parse_address(wrong, 1)
    with pytest.raises(LiveError, match="There is no host"):
        vmc_output(("no.such.host.invalid", 1))


def test_a_ring_keeps_the_latest_for_readers_of_any_pace() -> None:
    ring = Ring(5)
    for number in range(3):
        ring.put(str(number))
    assert ring.take(0).items == ("0", "1", "2") and ring.take(2, most=1).items == ("2",)
    for number in range(3, 9):
        ring.put(str(number))
    late = ring.take(1)
    assert (late.items, late.place, late.lost) == (("4", "5", "6", "7", "8"), 9, 3)
    assert not ring.wait(9, 0.01) and not ring.closed
    ring.close()
    assert not ring.wait(9, 60) and ring.closed, "the last reader does not wait for ever"


def test_lines_go_out_and_a_full_pipe_stops_nothing() -> None:
    end, begin = os.pipe()
    output = LineOutput(open(begin, "wb", buffering=0))
    for number in range(400):  # many times what a pipe holds
        output.send(live_frame(number))
    with open(end, "rb") as lines:
        assert [json.loads(lines.readline())["frame"] for _ in range(400)] == list(range(400))
        output.close()
    assert output.lost == 0 and not output.broken


def test_a_reader_that_is_gone_is_seen() -> None:
    end, begin = os.pipe()
    os.close(end)
    output = LineOutput(open(begin, "wb", buffering=0))
    output.send(live_frame())
    output.close()
    assert output.broken


async def listener(url: str, ready: asyncio.Queue, resume: asyncio.Event | None = None, most: int = 10**6) -> list[int]:
    """The frames that a listener hears, `most` at the most; with `resume` it takes nothing before that."""
    found = socket.socket()
    if resume is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.connect(("127.0.0.1", int(url.rsplit(":", 1)[1])))
    async with connect(url, sock=found, compression=None, max_queue=1, ping_interval=None) as connection:
        await ready.put(None)
        if resume is not None:
            await resume.wait()
        heard: list[int] = []
        while len(heard) < most:
            heard.append(json.loads(await connection.recv())["frame"])
        return heard


def test_twenty_listeners_one_of_them_stalled_lose_nothing() -> None:
    """The others have heard all of it while one takes nothing, and that one hears all of it afterwards."""
    frames, others = 300, 19
    output = WebSocketOutput(("127.0.0.1", 0))

    async def run() -> list[list[int]]:
        url, ready, resume = f"ws://127.0.0.1:{output.port}", asyncio.Queue(), asyncio.Event()
        stalled = asyncio.create_task(listener(url, ready, resume, frames))
        running = [asyncio.create_task(listener(url, ready, None, frames)) for _ in range(others)]
        for _ in range(others + 1):
            await ready.get()
        while output.listeners < others + 1:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(lambda: [output.send(live_frame(number)) for number in range(frames)])
        heard = await asyncio.wait_for(asyncio.gather(*running), 60)
        assert max(output.behind()) > 20, "nobody was stalled"
        resume.set()
        return [*heard, await stalled]

    heard = loops.run(run())
    output.close()
    assert [one == list(range(frames)) for one in heard] == [True] * (others + 1)


def test_who_is_too_late_is_told_and_costs_no_memory() -> None:
    output = WebSocketOutput(("127.0.0.1", 0), ring=Ring(20))

    async def run() -> ConnectionClosed:
        resume, ready = asyncio.Event(), asyncio.Queue()
        task = asyncio.create_task(listener(f"ws://127.0.0.1:{output.port}", ready, resume))
        await ready.get()
        while not output.listeners:
            await asyncio.sleep(0.01)
        for number in range(500):
            output.send(live_frame(number))
        resume.set()
        with pytest.raises(ConnectionClosed) as caught:
            await task
        return caught.value

    assert loops.run(run()).rcvd.code == 1013
    output.close()


def test_a_new_listener_begins_with_the_next_frame_and_may_speak_without_effect() -> None:
    output = WebSocketOutput(("127.0.0.1", 0))
    output.send(live_frame(0))
    with connect_sync(f"ws://127.0.0.1:{output.port}", compression=None) as connection:
        connection.send("hello")
        while not output.listeners:
            time.sleep(0.01)
        output.send(live_frame(1))
        assert json.loads(connection.recv(timeout=5))["frame"] == 1
    while output.listeners:
        time.sleep(0.01)
    output.send(live_frame(2))
    output.close()


@pytest.mark.parametrize(
    ("origin", "allowed", "admitted"),
    [
        ("https://evil.example", (), False),
        ("https://localhost.evil.example", (), False),
        ("http://[", (), False),
        ("https://mine.example", ("https://mine.example",), True),
        ("https://any.example", ("*",), True),
        ("http://localhost:3000", (), True),
        ("null", (), True),
    ],
)
def test_pages_of_foreign_hosts_may_not_listen(origin: str, allowed: tuple[str, ...], admitted: bool) -> None:
    output = WebSocketOutput(("127.0.0.1", 0), allowed)
    try:
        with connect_sync(f"ws://127.0.0.1:{output.port}", origin=origin):
            assert admitted
    except InvalidStatus as error:
        assert not admitted and error.response.status_code == 403
    output.close()


def test_a_taken_port_is_refused() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LiveError, match="choose another --websocket address"):
            WebSocketOutput(taken.getsockname())
