-- The application's role calls the functions; what it may do with tables, the migrations say.
revoke all on all functions in schema provider from public;
grant execute on all functions in schema provider to provider_app;
