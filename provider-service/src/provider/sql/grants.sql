-- The application's role may call all functions. The migrations grant its rights on tables.
revoke all on all functions in schema provider from public;
grant execute on all functions in schema provider to provider_app;
