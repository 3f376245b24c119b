"""Compares what eth-account and its libraries make of values with what this project makes of them, line by line.

    python answers.py PROGRAM KIND SEED FROM COUNT

PROGRAM writes the values. A value that differs is printed, with its number, and ends this.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import eth_abi
import rfc8785
import rlp
from eth_account import Account
from eth_account._utils.legacy_transactions import Transaction
from eth_account.messages import encode_typed_data
from eth_account.typed_transactions import TypedTransaction
from eth_keys import keys
from eth_utils import keccak, to_checksum_address
from hexbytes import HexBytes

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
FORMS = json.loads((Path(__file__).parent / "forms.json").read_text())
MAX_JSON = 65_536


def hexadecimal(data):
    return "0x" + bytes(data).hex()


def or_none(work):
    """The result, or nothing where the library refuses."""
    try:
        return work()
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    except Exception as refusal:
        # Libraries have refusals of their own, each of which says so by its module.
        if type(refusal).__module__.split(".")[0] in LIBRARIES:
            return None
        raise


LIBRARIES = {"eth_abi", "eth_account", "eth_keys", "eth_utils", "rlp", "rfc8785"}


def typed_data(given):
    form = FORMS[given["form"]] if "form" in given else given
    types, primary = form["types"], form["primaryType"]

    def numbered(kind, value):
        array = re.fullmatch(r"(.*)\[\d*\]", kind)
        if array:
            return [numbered(array[1], element) for element in value]
        if kind in types:
            return {field["name"]: numbered(field["type"], value[field["name"]]) for field in types[kind]}
        return int(value) if re.match(r"u?int", kind) else value

    domain = {name: int(value) if name == "chainId" else value for name, value in given["domain"].items()}
    fields = [field for field in DOMAIN if field["name"] in domain]
    whole = {
        "types": {**types, "EIP712Domain": fields},
        "primaryType": primary,
        "domain": domain,
        "message": numbered(primary, given["message"]),
    }

    def hashed():
        signable = encode_typed_data(full_message=whole)
        digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
        return {"domain": hexadecimal(signable.header), "digest": hexadecimal(digest)}

    return or_none(hashed)


DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
    {"name": "salt", "type": "bytes32"},
]


def signature(given):
    account = Account.from_key(given["key"])
    signed = account.unsafe_sign_hash(HexBytes(given["digest"]))
    public = keys.PrivateKey(HexBytes(given["key"])).public_key
    return {
        "address": account.address,
        "publicKey": hexadecimal(public.to_bytes()),
        "signature": hexadecimal(signed.signature),
    }


def recovery(given):
    data = HexBytes(given["signature"])
    if len(data) != 65 or data[64] not in (27, 28):
        return None
    r, s = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
    if not 0 < r < ORDER or not 0 < s <= ORDER // 2:
        return None
    return or_none(lambda: {"signer": Account._recover_hash(HexBytes(given["digest"]), signature=data)})


def address(given):
    text = given["text"]
    read = text.lower() if re.fullmatch(r"0x[0-9a-fA-F]{40}", text) else None
    checked = False
    if read:
        digits = text[2:]
        checked = digits in (digits.lower(), digits.upper()) or to_checksum_address(read) == text
    return {"checksum": to_checksum_address(given["bytes"]), "read": read, "checked": checked}


def sent(given):
    content = {
        "type": 2,
        "chainId": given["chainId"],
        "nonce": given["nonce"],
        "maxPriorityFeePerGas": int(given["tip"]),
        "maxFeePerGas": int(given["maxFee"]),
        "gas": int(given["gas"]),
        "to": given["to"],
        "value": 0,
        "data": given["data"],
    }
    signed = Account.sign_transaction(content, given["key"])
    return {"raw": hexadecimal(signed.raw_transaction), "hash": hexadecimal(signed.hash)}


def read(given):
    raw = HexBytes(given["raw"])
    # Other types are no transfer, whatever they say.
    if not raw or raw[0] != 2 or len(raw) > 4096:
        return None

    def told():
        transaction = TypedTransaction.from_bytes(raw)
        content = transaction.as_dict()
        call = transfer(hexadecimal(content["data"]))
        fees = (content["maxPriorityFeePerGas"], content["maxFeePerGas"])
        plain = transaction.encode() == bytes(raw) and content["value"] == 0 and call and len(content["to"]) == 20
        # It takes any number for the parity.
        if not plain or fees[0] > fees[1] or content["v"] not in (0, 1) or not 0 < content["s"] <= ORDER // 2:
            return None
        return {
            "hash": hexadecimal(keccak(bytes(raw))),
            "from": Account.recover_transaction(raw),
            "chainId": str(content["chainId"]),
            "nonce": str(content["nonce"]),
            "gas": str(content["gas"]),
            "maxFee": str(fees[1]),
            "tip": str(fees[0]),
            "token": to_checksum_address(content["to"]),
            **call,
        }

    return or_none(told)


def nested(item):
    return [nested(one) for one in item] if isinstance(item, list) else bytes(HexBytes(item))


def spelled(item):
    return [spelled(one) for one in item] if isinstance(item, (list, tuple)) else hexadecimal(item)


def lists(given):
    if "item" in given:
        return {"bytes": hexadecimal(rlp.encode(nested(given["item"])))}
    return or_none(lambda: {"item": spelled(rlp.decode(bytes(HexBytes(given["bytes"]))))})


def transfer(data):
    data = HexBytes(data)
    if len(data) != 68 or data[:4] != HexBytes("0xa9059cbb"):
        return None
    read = or_none(lambda: eth_abi.decode(["address", "uint256"], data[4:]))
    return read and {"to": to_checksum_address(read[0]), "value": str(read[1])}


PERMIT = ["((address,uint256),uint256,uint256)"]
PROXIES = {False: "0x402085c248EeA27D92E8b30b2C58ed07f9E20001", True: "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002"}


def mention(given):
    witness = ["(address,address,uint256)"] if given["isUpTo"] else ["(address,uint256)"]
    types = PERMIT + (["uint256"] if given["isUpTo"] else []) + ["address"] + witness + ["bytes"]
    types = (["(uint256,uint256,bytes32,bytes32,uint8)"] if given["withPermit"] else []) + types
    data = HexBytes(given["settle"])
    members = list(eth_abi.decode(types, data[4:]))[1 if given["withPermit"] else 0 :]
    (permitted, nonce, _), *amount, owner, seen, _ = members
    if given["called"] == PROXIES[given["isUpTo"]] and nonce == int(given["nonce"], 16) and owner == given["from"].lower():
        moved = amount[0] if amount else permitted[1]
        exact = permitted[0] == given["asset"].lower() and moved == int(given["value"]) and seen[0] == given["to"].lower()
        return {"mention": "exact" if exact else "nonce"}
    return {"mention": "inside" if bytes(HexBytes(given["nonce"])) in bytes(data) else "none"}


def abi(given):
    if "transfer" in given:
        return transfer(given["transfer"])
    if "settle" in given:
        return mention(given)
    types = (given.get("types") or re.search(r"\((.*)\)", given["function"])[1]).split(",")

    def value(kind, it):
        if kind.endswith("[]"):
            return [value(kind[:-2], one) for one in it]
        return int(it) if kind == "uint256" else HexBytes(it) if kind == "bytes32" else it

    data = eth_abi.encode(types, [value(kind, it) for kind, it in zip(types, given["arguments"])])
    if "types" in given:
        return {"hash": hexadecimal(keccak(data))}
    return {"data": hexadecimal(keccak(text=given["function"])[:4] + data)}


def document(text):
    def once(members):
        names = dict(members)
        if len(names) != len(members):
            raise ValueError("a name twice")
        return names

    def refused(word):
        raise ValueError(word)

    def finite(digits):
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            raise ValueError(digits)
        return number

    def canonical():
        if len(text.encode()) > MAX_JSON:
            return None
        value = json.loads(text, object_pairs_hook=once, parse_constant=refused, parse_int=finite, parse_float=finite)
        return rfc8785.dumps(value).decode()

    return or_none(canonical)


ANSWERS = {
    "typed-data": ("eth-account", typed_data),
    "authorizations": ("eth-account", typed_data),
    "signatures": ("eth-account", signature),
    "recovery": ("eth-account", recovery),
    "addresses": ("eth-utils", address),
    "sent": ("eth-account", sent),
    "read": ("eth-account", read),
    "rlp": ("rlp", lists),
    "abi": ("eth-abi", abi),
    "json": ("rfc8785", document),
}


def main():
    program, kind, seed, first, count = sys.argv[1:]
    library, answer = ANSWERS[kind]
    process = subprocess.Popen([program, "--lines", kind, seed, first, count], stdout=subprocess.PIPE)
    values = 0
    for line in process.stdout:
        said = json.loads(line)
        values += 1
        theirs = answer(said["input"])
        if theirs != said["ours"]:
            print(f"{library} says {json.dumps(theirs)}\nDIFFERS {said['number']}\n{line.decode()}")
            process.kill()
            sys.exit(1)
    if process.wait() != 0 or values != int(count):
        sys.exit(f"{program} wrote {values} values and ended with {process.returncode}")
    print(f"ASKED {library}")


main()
