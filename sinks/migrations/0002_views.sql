-- The views people read: one row for each identity, the newest version of it, without what was retracted.

CREATE OR REPLACE VIEW {database}.v_liquidations AS
SELECT * FROM {database}.liquidations FINAL
COMMENT 'Liquidations as they are known now: corrected ones once, retracted ones not at all.';

CREATE OR REPLACE VIEW {database}.v_open_interest AS
SELECT * FROM {database}.open_interest FINAL
COMMENT 'Open interest as it is known now.';

CREATE OR REPLACE VIEW {database}.v_funding AS
SELECT * FROM {database}.funding FINAL
COMMENT 'Funding rates as they are known now.';

CREATE OR REPLACE VIEW {database}.v_market_seconds AS
SELECT * FROM {database}.market_seconds FINAL
COMMENT 'Seconds of the market as they are known now.';

CREATE OR REPLACE VIEW {database}.v_instruments AS
SELECT * FROM {database}.instruments FINAL
COMMENT 'Facts of contracts as they are known now; the row with the latest valid_from_time is in force.';

CREATE OR REPLACE VIEW {database}.v_minutes AS
SELECT * FROM {database}.minutes FINAL
COMMENT 'Minutes with liquidations, the newest version of each; is_final says whether it may still change.';

CREATE OR REPLACE VIEW {database}.v_minutes_final AS
SELECT * FROM {database}.minutes FINAL WHERE is_final
COMMENT 'Minutes with liquidations that are final: only a late record or a replay still changes them.';

CREATE OR REPLACE VIEW {database}.v_market_minutes AS
SELECT * FROM {database}.market_minutes FINAL
COMMENT 'Minutes of the market, the newest version of each; is_final says whether it may still change.';

CREATE OR REPLACE VIEW {database}.v_market_minutes_final AS
SELECT * FROM {database}.market_minutes FINAL WHERE is_final
COMMENT 'Minutes of the market that are final: only a late record or a replay still changes them.';

CREATE OR REPLACE VIEW {database}.v_dead_letters AS
SELECT * FROM {database}.dead_letters FINAL
COMMENT 'Dead letters, each once.';
