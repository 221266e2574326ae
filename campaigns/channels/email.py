"""E-mail by SMTP. One connection per chunk; the server's answer decides what became of each message.

SMTP has no message id that a server would deduplicate by: when the connection ends between the message and its
answer (RFC 5321 section 4.2.5), nobody knows whether it was taken, and the outcome is UNKNOWN.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate

from campaigns.channels.base import Account, Channel, Outcome, Outgoing, Result, Session
from campaigns.enums import FailReason

CONNECT_SECONDS = 10
# Never waits so long for one answer that the lease of a chunk could lapse meanwhile.
ANSWER_SECONDS = 30
# Sending again on the same connection is given up after so many lost connections in one batch.
MOST_RECONNECTS = 2


class SmtpSession(Session):
    def __init__(self, account: Account) -> None:
        self._account = account
        self._smtp: smtplib.SMTP | None = None

    def send_many(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        losses = 0
        for message in messages:
            if losses > MOST_RECONNECTS:
                outcomes.append(Outcome(message.id, Result.LATER, detail="connection lost"))
                continue
            try:
                smtp = self._connected()
            except (OSError, smtplib.SMTPException) as error:
                losses = MOST_RECONNECTS + 1  # no use in trying for every message
                outcomes.append(Outcome(message.id, Result.LATER, detail=_words(error)))
                continue
            outcome, lost = self._send(smtp, message)
            if lost:
                losses += 1
                self.close()
            outcomes.append(outcome)
        return outcomes

    def _send(self, smtp: smtplib.SMTP, message: Outgoing) -> tuple[Outcome, bool]:
        """The outcome, and whether the connection is of no use any more."""
        try:
            data = _compose(message, self._account).as_bytes()
            sender = str(self._account.settings.get("sender_address", ""))
        except (ValueError, UnicodeError) as error:
            return Outcome(message.id, Result.FAILED, FailReason.BAD_ADDRESS, _words(error)), False
        try:
            code, text = smtp.mail(sender)
            if code != 250:
                smtp.rset()
                return _refusal(message, code, text, FailReason.REFUSED), code == 421
            code, text = smtp.rcpt(message.address)
            if code not in (250, 251):
                smtp.rset()
                return _refusal(message, code, text, FailReason.BAD_ADDRESS), code == 421
            code, text = smtp.docmd("DATA")
            if code != 354:
                smtp.rset()
                return _refusal(message, code, text, FailReason.REFUSED), code == 421
        except (OSError, smtplib.SMTPException) as error:
            # Nothing of the message has left us: it may be tried again.
            return Outcome(message.id, Result.LATER, detail=_words(error)), True
        except (ValueError, UnicodeError) as error:
            return Outcome(message.id, Result.FAILED, FailReason.BAD_ADDRESS, _words(error)), True
        try:
            smtp.send(_dotted(data))
            code, text = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return Outcome(message.id, Result.UNKNOWN, detail=_words(error)), True
        if code == 250:
            return Outcome(message.id, Result.HANDED, provider_id=text.decode("ascii", "replace")[:128]), False
        return _refusal(message, code, text, FailReason.REFUSED), code == 421

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._smtp = _connect(self._account)
        return self._smtp

    def close(self) -> None:
        """Say goodbye if the server still listens."""
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._smtp.close()
            self._smtp = None


class EmailChannel(Channel):
    deduplicates = False
    batch_size = 20

    @contextmanager
    def open(self, account: Account) -> Iterator[Session]:
        session = SmtpSession(account)
        try:
            yield session
        finally:
            session.close()

    def check(self, account: Account) -> str:
        try:
            _connect(account).quit()
        except (OSError, smtplib.SMTPException) as error:
            return _words(error)
        return ""


def _connect(account: Account) -> smtplib.SMTP:
    settings = account.settings
    host, port = str(settings.get("host", "")), int(settings.get("port", 25))
    security = settings.get("security", "")
    smtp: smtplib.SMTP
    if security == "tls":
        smtp = smtplib.SMTP_SSL(host, port, timeout=CONNECT_SECONDS, context=ssl.create_default_context())
    else:
        smtp = smtplib.SMTP(host, port, timeout=CONNECT_SECONDS)
    try:
        if security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo_or_helo_if_needed()
        if settings.get("username"):
            smtp.login(str(settings["username"]), str(account.secrets.get("password", "")))
        if smtp.sock is not None:
            smtp.sock.settimeout(ANSWER_SECONDS)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _compose(message: Outgoing, account: Account) -> EmailMessage:
    """The mail with a text and an HTML side. Raises `ValueError` on an address that is none."""
    sender = str(account.settings.get("sender_address", ""))
    domain = sender.rpartition("@")[2] or "localhost"
    mail = EmailMessage(policy=SMTP_POLICY.clone(refold_source="none"))
    mail["Subject"] = message.subject
    mail["From"] = Address(str(account.settings.get("sender_name", "")), addr_spec=sender)
    mail["To"] = Address(addr_spec=message.address)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.unsubscribe_url:  # RFC 8058
        # As it is: folded as text, a long address would become an encoded word, which no mail program follows.
        mail.set_raw("List-Unsubscribe", f"<{message.unsubscribe_url}>")
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    return mail


def _dotted(data: bytes) -> bytes:
    """The message with the dots of RFC 5321 section 4.5.2 and its end."""
    lines = data.replace(b"\r\n.", b"\r\n..")
    if lines.startswith(b"."):
        lines = b"." + lines
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _refusal(message: Outgoing, code: int, text: bytes, reason: FailReason) -> Outcome:
    """4xx: the server asks to come back later. 5xx: it never will take this."""
    detail = f"{code} {text.decode('utf-8', 'replace')}"[:200]
    if 500 <= code < 600:
        return Outcome(message.id, Result.FAILED, reason, detail)
    return Outcome(message.id, Result.LATER, detail=detail)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
