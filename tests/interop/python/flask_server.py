"""A Flask application with the middleware of x402, as its documentation sets it up."""

from flask import Flask
from served import FACILITATOR, NETWORK, PAY_TO, REPORT, listening
from werkzeug.serving import make_server
from x402 import x402ResourceServerSync
from x402.http import FacilitatorConfig, HTTPFacilitatorClientSync
from x402.http.middleware.flask import payment_middleware
from x402.mechanisms.evm.exact import ExactEvmServerScheme

server = x402ResourceServerSync(HTTPFacilitatorClientSync(FacilitatorConfig(url=FACILITATOR)))
server.register("eip155:*", ExactEvmServerScheme())
routes = {"GET /report": {"accepts": {"scheme": "exact", "payTo": PAY_TO, "price": "$0.01", "network": NETWORK}}}
app = Flask(__name__)


@app.get("/report")
def report():
    return REPORT


payment_middleware(app, routes, server)
sock = listening()
make_server("127.0.0.1", 0, app, threaded=True, fd=sock.fileno()).serve_forever()
