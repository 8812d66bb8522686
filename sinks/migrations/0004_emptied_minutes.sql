-- A minute whose liquidations were all retracted has a row of zeros, which beats the one before; nobody needs to see it.

CREATE OR REPLACE VIEW {database}.v_minutes AS
SELECT * FROM {database}.minutes FINAL WHERE long_count + short_count > 0
COMMENT 'Minutes with liquidations, the newest version of each; is_final says whether it may still change.';

CREATE OR REPLACE VIEW {database}.v_minutes_final AS
SELECT * FROM {database}.minutes FINAL WHERE is_final AND long_count + short_count > 0
COMMENT 'Minutes with liquidations that are final: only a late record or a replay still changes them.';
