-- Passages of event_appended() as 0002 wrote it, each followed by what takes its place.
--;
DECLARE wrong bigint; moved bigint; chains bigint; n text;
--;
DECLARE wrong bigint; moved bigint; chains bigint; many bigint; n text;
  this_xact bigint := (pg_current_xact_id()::text)::bigint;
--;
  SELECT count(*) INTO wrong FROM added a
    LEFT JOIN event p ON p.chain_id = a.chain_id AND p.seq = a.seq - 1
   WHERE a.prev_hash <> CASE WHEN a.seq = 1 THEN chain_genesis(a.chain_id) ELSE p.hash END
      OR (a.seq <> 1 AND p.hash IS NULL)
      OR a.xid <> (pg_current_xact_id()::text)::bigint;
  IF wrong > 0 THEN
    RAISE EXCEPTION 'an event does not follow its chain' USING ERRCODE = 'MP002';
  END IF;
  UPDATE chain c SET seq = h.last, head = h.hash
    FROM (SELECT a.chain_id, min(a.seq) AS first, max(a.seq) AS last,
                 (array_agg(a.hash ORDER BY a.seq DESC))[1] AS hash
            FROM added a GROUP BY a.chain_id) h
   WHERE c.id = h.chain_id AND c.seq = h.first - 1;
  GET DIAGNOSTICS moved = ROW_COUNT;
  SELECT count(DISTINCT chain_id) INTO chains FROM added;
  IF moved <> chains THEN
--;
  SELECT count(*), count(DISTINCT chain_id), count(*) FILTER (WHERE xid <> this_xact)
    INTO many, chains, wrong FROM added;
  IF many = chains THEN
    -- One event a chain: the chain's row holds the hash that it follows, and nothing but this function writes it.
    UPDATE chain c SET seq = a.seq, head = a.hash FROM added a
     WHERE c.id = a.chain_id AND c.seq = a.seq - 1 AND c.head = a.prev_hash;
    GET DIAGNOSTICS moved = ROW_COUNT;
  ELSE
    SELECT count(*) + wrong INTO wrong FROM added a
      LEFT JOIN event p ON p.chain_id = a.chain_id AND p.seq = a.seq - 1
     WHERE a.prev_hash <> CASE WHEN a.seq = 1 THEN chain_genesis(a.chain_id) ELSE p.hash END
        OR (a.seq <> 1 AND p.hash IS NULL);
    UPDATE chain c SET seq = h.last, head = h.hash
      FROM (SELECT a.chain_id, min(a.seq) AS first, max(a.seq) AS last,
                   (array_agg(a.hash ORDER BY a.seq DESC))[1] AS hash
              FROM added a GROUP BY a.chain_id) h
     WHERE c.id = h.chain_id AND c.seq = h.first - 1;
    GET DIAGNOSTICS moved = ROW_COUNT;
  END IF;
  IF wrong > 0 THEN
    RAISE EXCEPTION 'an event does not follow its chain' USING ERRCODE = 'MP002';
  END IF;
  IF moved <> chains THEN
--;
  SELECT count(*) INTO wrong FROM added a JOIN machine m ON m.id = a.machine WHERE m.noun <> a.noun OR NOT m.sealed;
--;
  SELECT count(*) INTO wrong FROM (SELECT DISTINCT machine, noun FROM added) a
    JOIN machine m ON m.id = a.machine WHERE m.noun <> a.noun OR NOT m.sealed;
--;
FROM added a LEFT JOIN "
--;
FROM (SELECT DISTINCT ON (subject_id) subject_id, subject_seq, noun, to_state, chain_id, machine
                FROM added ORDER BY subject_id, subject_seq DESC) a LEFT JOIN "
--;
AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
--;
-- The newest event of the subject decides.