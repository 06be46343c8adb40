"""Contexts that read no files of authorities."""

import ssl

from shared_service.tls.contexts import without_system_authorities


def authorities_of_a_new_context() -> int:
    return ssl.create_default_context().cert_store_stats()["x509_ca"]


def test_only_contexts_that_are_made_in_the_block_trust_nobody() -> None:
    before = authorities_of_a_new_context()
    with without_system_authorities():
        assert authorities_of_a_new_context() == 0
    assert authorities_of_a_new_context() == before
