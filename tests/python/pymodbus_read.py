"""Talks to the PLC as lvmecp 1.3 does, with the real pymodbus: a new connection for each access, all coils in one read
of 1023, holding registers in blocks.

Lines of standard input, each answered with a line of JSON:

    coils               {"coils": [addresses of those that are on], "count": 1023}
    registers           {"registers": {"address": value, of those that are not 0}, "count": 1024}
    write ADDRESS 0|1   {"written": address}
    read_coil ADDRESS   {"value": 0 or 1}

A PLC that answers with an exception, or not at all: {"error": ...}.
"""

import argparse
import asyncio
import json
import sys

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

COILS = 1023
REGISTERS = 1024
BLOCK = 100


class Refused(Exception):
    pass


def checked(response):
    if response.isError():
        raise Refused(str(response))
    return response


async def coils(client):
    response = checked(await client.read_coils(0, count=COILS))
    values = response.bits[:COILS]
    return {"coils": [n for n, on in enumerate(values) if on], "count": len(values)}


async def registers(client):
    values = []
    for start in range(0, REGISTERS, BLOCK):
        count = min(BLOCK, REGISTERS - start)
        response = checked(await client.read_holding_registers(start, count=count))
        values += response.registers
    return {
        "registers": {str(n): value for n, value in enumerate(values) if value},
        "count": len(values),
    }


async def write(client, address, value):
    checked(await client.write_coil(int(address), bool(int(value))))
    return {"written": int(address)}


async def read_coil(client, address):
    response = checked(await client.read_coils(int(address), count=1))
    return {"value": int(response.bits[0])}


ORDERS = {"coils": coils, "registers": registers, "write": write, "read_coil": read_coil}


async def access(options, order, arguments):
    client = AsyncModbusTcpClient(options.host, port=options.port, timeout=5, retries=0)
    try:
        if not await client.connect():
            return {"error": "no connection"}
        return await ORDERS[order](client, *arguments)
    except (ModbusException, Refused, asyncio.TimeoutError) as error:
        return {"error": str(error)}
    finally:
        client.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    for line in sys.stdin:
        order, *arguments = line.split()
        print(json.dumps(await access(options, order, arguments)), flush=True)


asyncio.run(main())
