-- A bad row of the wallet's feed is a difference of its own kind; until now it ended the run. Only runs write here.

alter table provider.reconciliation_differences
    -- squawk-ignore ban-drop-constraint
    drop constraint difference_kind_known,
    add constraint difference_kind_known check (kind in (
        'missing_here', 'missing_there', 'player', 'kind', 'amount', 'currency', 'state', 'round', 'related',
        'balance', 'head', 'contradiction', 'unreadable', 'repeated'
    )) not valid;
