"""The published client of x402 over httpx, as its documentation sets it up, with its default spend limits."""

import asyncio

from answer import account, show, url
from x402 import x402Client
from x402.http.clients import x402HttpxClient
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact.register import register_exact_evm_client


async def main():
    client = x402Client()
    register_exact_evm_client(client, EthAccountSigner(account))
    async with x402HttpxClient(client, timeout=30) as http:
        show(await http.get(url))


asyncio.run(main())
