-- Nonces of signed requests: see casino.claim_nonces. Partitions, so that old ones go by truncation and leave nothing behind.
create table casino.nonces (
    drawer smallint not null,
    nonce text not null,
    primary key (drawer, nonce)
) partition by list (drawer);
create table casino.nonces_0 partition of casino.nonces for values in (0);
create table casino.nonces_1 partition of casino.nonces for values in (1);
create table casino.nonces_2 partition of casino.nonces for values in (2);
