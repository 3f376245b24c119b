"""A FastAPI application with the middleware of x402, as its documentation sets it up."""

from fastapi import FastAPI
from served import FACILITATOR, NETWORK, PAY_TO, REPORT, run_asgi
from x402 import x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.http.middleware.fastapi import payment_middleware
from x402.mechanisms.evm.exact import ExactEvmServerScheme

server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=FACILITATOR)))
server.register("eip155:*", ExactEvmServerScheme())
routes = {"GET /report": {"accepts": {"scheme": "exact", "payTo": PAY_TO, "price": "$0.01", "network": NETWORK}}}
paid = payment_middleware(routes, server)
app = FastAPI()


@app.middleware("http")
async def x402(request, call_next):
    return await paid(request, call_next)


@app.get("/report")
async def report():
    return REPORT


run_asgi(app)
