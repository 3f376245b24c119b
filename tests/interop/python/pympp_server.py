"""A FastAPI application that charges with pympp, as its documentation sets it up."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mpp import Credential, Receipt
from mpp.methods.evm import BASE_SEPOLIA_USDC
from mpp.methods.evm import server as evm
from mpp.server import Mpp, pay
from served import FACILITATOR, PAY_TO, REPORT, run_asgi

server = Mpp(methods=evm.charge(currency=BASE_SEPOLIA_USDC, recipient=PAY_TO, facilitator=FACILITATOR))
app = FastAPI()


@app.get("/report")
@pay(server.charge(amount="0.01"))
async def report(request: Request, credential: Credential, receipt: Receipt):
    return JSONResponse(REPORT)


run_asgi(app)
