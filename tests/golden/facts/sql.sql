-- Where parcels are kept.
CREATE TABLE store.parcels (
    id bigint PRIMARY KEY,
    label_id bigint NOT NULL REFERENCES store.labels (id),
    level text DEFAULT 'high',
    CONSTRAINT parcels_label UNIQUE (label_id)
);

CREATE TABLE IF NOT EXISTS labels (
    id bigint,
    text varchar(100)
);

CREATE INDEX parcels_level ON store.parcels (level);

CREATE TYPE level AS ENUM ('high', 'low');

CREATE SEQUENCE parcel_ids;

/* All that are
   high. */
CREATE OR REPLACE VIEW high_parcels AS
SELECT p.id, l.text, missing(p.id)
FROM store.parcels p
JOIN labels l ON l.id = p.label_id
WHERE p.level = 'high';

CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM high_parcels;

CREATE FUNCTION missing(wanted bigint) RETURNS boolean AS $$
    SELECT NOT EXISTS (SELECT 1 FROM store.parcels WHERE id = wanted);
$$ LANGUAGE sql;

CREATE TRIGGER touched BEFORE UPDATE ON labels FOR EACH ROW EXECUTE FUNCTION touch();

INSERT INTO labels (id, text) VALUES (1, 'first');
UPDATE labels SET text = 'second' WHERE id = 1;
DELETE FROM store.parcels WHERE id = 2;
ALTER TABLE labels ADD COLUMN size int;
