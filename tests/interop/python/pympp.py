"""The published client of MPP for Python, which pays charges of method evm up to 0.05 USDC on Base Sepolia."""

import asyncio

from answer import account, show, url
from mpp.client import Mpp
from mpp.methods.evm import BASE_SEPOLIA_USDC
from mpp.methods.evm import client as evm


async def main():
    method = evm.charge(currency=BASE_SEPOLIA_USDC, account=account, max_amount="0.05")
    async with Mpp(methods=[method]) as client:
        show(await client.fetch(url))


asyncio.run(main())
