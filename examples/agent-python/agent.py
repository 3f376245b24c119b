"""An agent in Python that buys through farebox-mcp, which has the wallet and the budget."""

import asyncio
import json
import os
from pathlib import Path

from mcp import Client, StdioServerParameters

# Another host also has to be in `hosts` of farebox.json.
URL = os.environ.get("REPORT_URL", "http://127.0.0.1:8402/report")
HERE = Path(__file__).resolve().parent


async def main():
    # The budget is in that file, and the key goes to farebox-mcp alone: a model sees neither.
    key = {"FAREBOX_PRIVATE_KEY": os.environ["FAREBOX_PRIVATE_KEY"]}
    # The program that is installed here: `npx` would give the key to whatever has that name, in this folder or on npm.
    program = str(HERE / "node_modules" / ".bin" / "farebox-mcp")
    server = StdioServerParameters(command=program, args=[str(HERE / "farebox.json")], env=key)
    async with Client(server) as client:

        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            told = json.loads(result.content[0].text)
            if "toolError" in told:
                raise SystemExit(f"agent  {told['toolError']['message']}")
            return told

        prepared = await call("prepare_paid_request", url=URL)
        print("cost  ", prepared["costSummary"])
        # A model decides this: it gets `await client.list_tools()` and calls what it likes.
        if prepared["nextAction"] == "execute":
            bought = await call("execute_prepared_request", preparedId=prepared["preparedId"])
            print("agent ", bought.get("reason") or bought["merchantResponse"]["body"])


asyncio.run(main())
