-- What each run of a journey heard and was answered, by ids alone: beyond Temporal's retention, and when the inbox's
-- bodies are blank, a past journey can be played again. The state it began with and the entries are JSON of the rules'
-- own words (journey.past), and nothing looks into them here.
CREATE TABLE journey_runs (
    shop text NOT NULL,
    order_id text NOT NULL,
    run_id text NOT NULL,
    continues text,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    ended text NOT NULL,
    state jsonb NOT NULL,
    entries jsonb NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, shop, run_id),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);
CREATE INDEX journey_runs_ended ON journey_runs (ended_at);
