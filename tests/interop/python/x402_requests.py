"""The published client of x402 over requests, as its documentation sets it up, with its default spend limits."""

from answer import account, show, url
from x402 import x402ClientSync
from x402.http.clients import x402_requests
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact.register import register_exact_evm_client

client = x402ClientSync()
register_exact_evm_client(client, EthAccountSigner(account))
with x402_requests(client) as session:
    show(session.get(url, timeout=30))
