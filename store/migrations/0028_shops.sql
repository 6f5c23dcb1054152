-- What a shop's file says that decides about journeys and people: kept here, so that every process decides alike.
-- `playbook` is what the shop's new journeys pin; where it is none they pin `current_playbook`.
CREATE TABLE shops (
    shop text PRIMARY KEY,
    locale text,
    time_zone text,
    country text,
    playbook text REFERENCES playbooks
);
