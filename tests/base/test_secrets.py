"""Credentials of URLs, and secrets of the environment, are in nothing that is written or shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.base.text import redact
from dist_vad.base.text.redact import protect, protect_address, redacted
from dist_vad.base.text.secrets import from_environment, without_credentials

SAFE = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789-_.~!$%:@+"), min_size=1, max_size=20)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """No test knows the secrets of another."""
    monkeypatch.setattr(redact, "_known", set())


@given(SAFE, SAFE, st.sampled_from(["rtsp", "http", "https", "rtmp", "mqtt"]))
def test_user_and_password_of_a_url_are_hidden_whatever_they_are(user, password, scheme):
    url = f"{scheme}://{user}:{password}@camera.lan:554/stream"
    assert redacted(f"cannot open '{url}': no route") == f"cannot open '{scheme}://***@camera.lan:554/stream': no route"


@pytest.mark.parametrize(
    "parameter", ["password", "pwd", "pass", "token", "access_token", "api_key", "apikey", "secret", "user", "auth"]
)
def test_parameters_that_are_named_like_secrets_are_hidden(parameter):
    hidden = redacted(f"http://10.0.0.7/video.cgi?size=2&{parameter}=hunter22&channel=1")
    assert "hunter22" not in hidden and "size=2" in hidden and "channel=1" in hidden


def test_a_url_without_credentials_is_left_as_it_is():
    for text in ("http://10.0.0.7:80/a@b.mjpg?size=2", "rtsp://camera.lan/1", "C:/video.mp4", "it is 10:30 @ the gate"):
        assert redacted(text) == text


@given(st.text(min_size=4, max_size=12).filter(lambda text: text.isprintable()))
def test_a_known_secret_is_hidden_wherever_it_turns_up(secret):
    protect(secret)
    try:
        assert secret not in redacted(f"before {secret} after") or secret in "before *** after"
    finally:
        redact._known.clear()


def test_a_password_that_a_url_writes_in_another_way_is_hidden_both_ways():
    protect_address("rtsp://me:p%40ss%20word@camera.lan/1")
    assert redacted("login failed for p@ss word, p%40ss%20word") == "login failed for ***, ***"


def test_a_variable_of_the_environment_takes_its_place_and_is_a_secret(monkeypatch):
    monkeypatch.setenv("DOOR_PASSWORD", "correct horse")
    assert from_environment("rtsp://me:${DOOR_PASSWORD}@door/1", "cameras.door.url") == "rtsp://me:correct horse@door/1"
    assert redacted("it was correct horse") == "it was ***"


def test_a_variable_that_is_not_set_is_refused_by_name(monkeypatch):
    monkeypatch.delenv("DOOR_PASSWORD", raising=False)
    with pytest.raises(InputError, match=r"cameras.door.url asks for \$\{DOOR_PASSWORD\}"):
        from_environment("rtsp://me:${DOOR_PASSWORD}@door/1", "cameras.door.url")


def test_names_made_from_a_url_hold_none_of_its_credentials():
    assert without_credentials("http://me:secret@10.0.0.7:80/live/1?pwd=secret") == "http://10.0.0.7:80/live/1"
