"""A stand-in for Africa's Talking over TLS: answers messages at once, or after a while. Run as a process of its own."""

import asyncio
import json
import ssl
import sys
from secrets import token_hex
from urllib.parse import parse_qs


async def serve(cert: str, key: str, delay_s: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
                phones = parse_qs((await reader.readexactly(length)).decode())["to"][0].split(",")
                recipients = [
                    {"cost": "KES 0.8000", "messageId": f"ATXid_{token_hex(16)}", "number": phone, "status": "Success", "statusCode": 101}
                    for phone in phones
                ]
                body = json.dumps(
                    {"SMSMessageData": {"Message": f"Sent to {len(phones)}/{len(phones)}", "Recipients": recipients}}
                ).encode()
                if delay_s:
                    await asyncio.sleep(delay_s)
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], float(sys.argv[3])))
