"""An app that knows nothing of payments: the gate in front of it asks for them."""

from fastapi import FastAPI, Header
from pydantic import BaseModel

app = FastAPI()


class Text(BaseModel):
    text: str


@app.get("/")
def about():
    return {"sells": "POST /summaries"}


@app.post("/summaries")
def summary(asked: Text, farebox_payer: str | None = Header(None)):
    # Who paid, as the gate says. Its own headers are the only ones of that name that come through.
    return {"summary": asked.text[:20] + "…", "payer": farebox_payer}
