-- What of a webhook could not be read and was lost alone: fields, dotted, in the sender's words, never a value.
ALTER TABLE inbox ADD COLUMN left_out text[] NOT NULL DEFAULT '{}';
