-- In day.sql's transaction, after it: mistakes that are legal in every single row, so that extraction and dbt's
-- tests let them pass and only the quality gate sees that the day is wrong. The next day.sql repairs them.

-- An app release forgets the country of three users in ten.
update users set country = null, updated_at = now()
where country is not null and demo.dice(user_id, 70) < 0.3;

-- A partner's import reads the year wrong: one in twenty of the day's orders lies in the future.
update orders set order_date = order_date + 365
where status = 'placed' and updated_at = now() and demo.dice(order_id, 71) < 0.05;
