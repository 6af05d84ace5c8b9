"""The outbox: what is alarming is written down, with the messages that it makes, before anything is sent.

    monitor ── Outbox.record ──▶ troubles, messages, deliveries ── claim, send, sent or failed ──▶ channels

`rules` says which look makes a message and when a delivery is tried again; `store` keeps it, in the database of the
prediction log; who sends is `operations.alerts`.
"""
