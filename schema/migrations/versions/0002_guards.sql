DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'milepost_app') THEN
    BEGIN
      CREATE ROLE milepost_app LOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
END $$
--;
CREATE FUNCTION chain_genesis(chain uuid) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT sha256('milepost:'::bytea || uuid_send(chain)) $$
--;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'MP001';
END $$
--;
-- Every guard below names its search path, because a temporary table of the same name would come first.
-- The newest event decides where its subject stands. Fires after the whole statement, so that one
-- statement may write the event, the row, the transfers and the messages together.
CREATE FUNCTION event_appended() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE wrong bigint; moved bigint; chains bigint; n text;
BEGIN
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
    RAISE EXCEPTION 'an event leaves a gap in its chain' USING ERRCODE = 'MP002';
  END IF;
  SELECT count(*) INTO wrong FROM added a JOIN machine m ON m.id = a.machine WHERE m.noun <> a.noun OR NOT m.sealed;
  IF wrong > 0 THEN
    RAISE EXCEPTION 'an event names a machine of another noun' USING ERRCODE = 'MP002';
  END IF;
  SELECT count(*) INTO wrong FROM added a
    LEFT JOIN event p ON p.subject_id = a.subject_id AND p.subject_seq = a.subject_seq - 1
   WHERE a.from_state <> CASE WHEN a.subject_seq = 1 THEN '' ELSE p.to_state END
      OR (a.subject_seq <> 1 AND (p.to_state IS NULL OR p.chain_id <> a.chain_id));
  IF wrong > 0 THEN
    RAISE EXCEPTION 'an event does not start where its subject stood' USING ERRCODE = 'MP002';
  END IF;
  FOR n IN SELECT DISTINCT noun FROM added LOOP
    wrong := 1;
    CASE n --{subject_branches}
    ELSE NULL;
    END CASE;
    IF wrong > 0 THEN
      RAISE EXCEPTION 'an event of % has no row that stands where it says', n USING ERRCODE = 'MP003';
    END IF;
  END LOOP;
  RETURN NULL;
END $$
--;
CREATE TRIGGER event_appended AFTER INSERT ON event REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION event_appended()
--;
-- A state or a version changes with its event; any other column of a noun with some event of its chain. Row by
-- row, still at the end of the statement: joined as tables, old and new rows are compared each with each by the
-- plan that was kept from a statement with one row.
CREATE FUNCTION state_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE chain uuid; chain_before uuid;
BEGIN
  IF NEW.id <> OLD.id THEN
    RAISE EXCEPTION 'an id of % was changed', TG_TABLE_NAME USING ERRCODE = 'MP003';
  END IF;
  IF TG_ARGV[0] = 'id' THEN
    chain := NEW.id; chain_before := OLD.id;
  ELSIF TG_ARGV[0] = 'project_id' THEN
    chain := NEW.project_id; chain_before := OLD.project_id;
  ELSE
    chain := NEW.chain_id; chain_before := OLD.chain_id;
  END IF;
  IF chain IS DISTINCT FROM chain_before THEN
    RAISE EXCEPTION 'a row of % was changed without an event', TG_TABLE_NAME USING ERRCODE = 'MP003';
  END IF;
  IF NEW.state <> OLD.state OR NEW.version <> OLD.version THEN
    IF NEW.version <= OLD.version OR NOT EXISTS (
         SELECT 1 FROM event e WHERE e.subject_id = NEW.id AND e.subject_seq = NEW.version
            AND e.chain_id = chain AND e.to_state = NEW.state AND e.noun = TG_TABLE_NAME
            AND e.xid = (pg_current_xact_id()::text)::bigint) THEN
      RAISE EXCEPTION 'a state of % was changed without its event', TG_TABLE_NAME USING ERRCODE = 'MP003';
    END IF;
  ELSIF (SELECT e.xid FROM event e WHERE e.chain_id = chain ORDER BY e.seq DESC LIMIT 1)
        IS DISTINCT FROM (pg_current_xact_id()::text)::bigint THEN
    RAISE EXCEPTION 'a row of % was changed without an event', TG_TABLE_NAME USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE FUNCTION birth_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n WHERE n.version <> 1 OR NOT EXISTS (
       SELECT 1 FROM event e WHERE e.subject_id = n.id AND e.subject_seq = 1 AND e.to_state = n.state
          AND e.noun = TG_TABLE_NAME AND e.xid = (pg_current_xact_id()::text)::bigint)) THEN
    RAISE EXCEPTION 'a row of % was added without its event', TG_TABLE_NAME USING ERRCODE = 'MP003';
  END IF;
  IF TG_TABLE_NAME = 'payment' THEN
    IF EXISTS (SELECT 1 FROM fresh n JOIN tranche t ON t.id = n.tranche_id
                WHERE (n.project_id, n.amount_minor, n.currency, n.milestone_id)
                      IS DISTINCT FROM (t.project_id, t.amount_minor, t.currency, t.milestone_id)) THEN
      RAISE EXCEPTION 'a payment is planned for the sum of its tranche' USING ERRCODE = 'MP005';
    END IF;
  END IF;
  RETURN NULL;
END $$
--;
CREATE FUNCTION fact_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE wrong bigint;
BEGIN
  SELECT count(*) INTO wrong FROM fresh n
     WHERE (SELECT e.xid FROM event e WHERE e.chain_id = n.project_id ORDER BY e.seq DESC LIMIT 1) IS DISTINCT FROM (pg_current_xact_id()::text)::bigint;
  IF wrong > 0 THEN
    RAISE EXCEPTION 'a fact in % was written without an event', TG_TABLE_NAME USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE FUNCTION account_opened() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.debits_pending <> 0 OR NEW.debits_posted <> 0 OR NEW.credits_pending <> 0
     OR NEW.credits_posted <> 0 OR NEW.drawn_minor <> 0 THEN
    RAISE EXCEPTION 'an account opens empty' USING ERRCODE = 'MP004';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER account_opened BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION account_opened()
--;
-- A commitment's ceiling is the award, so that nobody opens one with another before the award is made.
CREATE FUNCTION account_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE wrong bigint;
BEGIN
  SELECT count(*) INTO wrong FROM fresh n
   WHERE (pg_current_xact_id()::text)::bigint NOT IN (
           coalesce((SELECT e.xid FROM event e WHERE e.chain_id = n.owner_id ORDER BY e.seq DESC LIMIT 1), 0),
           coalesce((SELECT e.xid FROM event e WHERE e.subject_id = n.owner_id ORDER BY e.subject_seq DESC LIMIT 1), 0))
      OR (n.kind = 'commitment' AND (n.ceiling_minor IS NULL OR n.ceiling_minor IS DISTINCT FROM
           (SELECT p.award_minor FROM project p WHERE p.id = n.owner_id)));
  IF wrong > 0 THEN
    RAISE EXCEPTION 'an account opens with an event of its owner, a commitment with the award as its ceiling'
      USING ERRCODE = 'MP004';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER account_needs_event AFTER INSERT ON account REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION account_needs_event()
--;
CREATE FUNCTION duty_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n WHERE (pg_current_xact_id()::text)::bigint IS DISTINCT FROM
      (SELECT e.xid FROM event e WHERE e.subject_id = n.payment_id ORDER BY e.subject_seq DESC LIMIT 1)) THEN
    RAISE EXCEPTION 'a duty was written without an event of its payment' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER duty_needs_event AFTER INSERT ON duty REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION duty_needs_event()
--;
CREATE TRIGGER account_stays BEFORE DELETE OR TRUNCATE ON account
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
-- The sums of the accounts follow the transfers, and nothing else may write them.
CREATE FUNCTION transfer_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE wrong bigint;
BEGIN
  SELECT count(*) INTO wrong FROM added t
    JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
    LEFT JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
   WHERE d.currency <> t.currency OR c.currency <> t.currency
      OR e.xid IS DISTINCT FROM (pg_current_xact_id()::text)::bigint;
  IF wrong > 0 THEN
    RAISE EXCEPTION 'a transfer mixes currencies or belongs to no event of now' USING ERRCODE = 'MP004';
  END IF;
  -- Treasury, appropriation, commitment, payable, paid: one after the other, and back by reversal alone.
  SELECT count(*) INTO wrong FROM added t
    JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
   WHERE t.reverses_id IS NULL
     AND NOT CASE d.kind
           WHEN 'treasury' THEN c.kind = 'appropriation' AND d.owner_id = t.chain_id
           WHEN 'appropriation' THEN c.kind = 'commitment' AND c.owner_id = t.chain_id
           WHEN 'commitment' THEN c.kind = 'payable' AND d.owner_id = t.chain_id AND c.owner_id = t.chain_id
           WHEN 'payable' THEN c.kind = 'paid' AND d.owner_id = t.chain_id AND c.owner_id = t.chain_id
           ELSE false END;
  IF wrong > 0 THEN
    RAISE EXCEPTION 'a transfer goes a way that money does not go' USING ERRCODE = 'MP004';
  END IF;
  SELECT count(*) INTO wrong FROM added t LEFT JOIN transfer p ON p.id = t.pending_id
   WHERE t.pending_id IS NOT NULL
     AND (p.id IS NULL OR p.kind <> 'pending' OR p.chain_id <> t.chain_id OR p.debit_id <> t.debit_id OR p.credit_id <> t.credit_id
          OR p.amount_minor <> t.amount_minor);
  IF wrong > 0 THEN
    RAISE EXCEPTION 'a second phase differs from its first' USING ERRCODE = 'MP004';
  END IF;
  SELECT count(*) INTO wrong FROM added t LEFT JOIN transfer r ON r.id = t.reverses_id
   WHERE t.reverses_id IS NOT NULL
     AND (r.id IS NULL OR r.kind NOT IN ('posted', 'post') OR t.kind <> 'posted' OR r.chain_id <> t.chain_id
          OR r.debit_id <> t.credit_id OR r.credit_id <> t.debit_id
          OR r.amount_minor <> t.amount_minor OR r.reverses_id IS NOT NULL);
  IF wrong > 0 THEN
    RAISE EXCEPTION 'a reversal does not mirror what it reverses' USING ERRCODE = 'MP004';
  END IF;
  UPDATE account a SET
      debits_pending = a.debits_pending + s.dp, debits_posted = a.debits_posted + s.dx,
      credits_pending = a.credits_pending + s.cp, credits_posted = a.credits_posted + s.cx,
      drawn_minor = a.drawn_minor + s.drawn
    FROM (
      SELECT id, sum(dp) AS dp, sum(dx) AS dx, sum(cp) AS cp, sum(cx) AS cx, sum(drawn) AS drawn FROM (
        SELECT debit_id AS id,
               CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 ELSE -amount_minor END AS dp,
               CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END AS dx,
               0::bigint AS cp, 0::bigint AS cx,
               CASE WHEN reverses_id IS NOT NULL THEN -amount_minor ELSE 0 END AS drawn
          FROM added
        UNION ALL
        SELECT credit_id, 0, 0,
               CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 ELSE -amount_minor END,
               CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END,
               CASE WHEN kind = 'pending' OR (kind = 'posted' AND reverses_id IS NULL) THEN amount_minor
                    WHEN kind = 'void' THEN -amount_minor ELSE 0 END
          FROM added) legs
      GROUP BY id) s
   WHERE a.id = s.id;
  RETURN NULL;
END $$
--;
CREATE TRIGGER transfer_added AFTER INSERT ON transfer REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION transfer_added()
--;
CREATE FUNCTION machine_stays_sealed() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.sealed OR NEW.id <> OLD.id OR NEW.noun <> OLD.noun THEN
    RAISE EXCEPTION 'machine % is sealed', OLD.id USING ERRCODE = 'MP001';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER machine_stays_sealed BEFORE UPDATE OR DELETE ON machine
FOR EACH ROW EXECUTE FUNCTION machine_stays_sealed()
--;
CREATE FUNCTION allowed_step_before_seal() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM machine m WHERE m.id = NEW.machine AND m.sealed) THEN
    RAISE EXCEPTION 'machine % is sealed', NEW.machine USING ERRCODE = 'MP001';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER allowed_step_before_seal BEFORE INSERT ON allowed_step
FOR EACH ROW EXECUTE FUNCTION allowed_step_before_seal()
--;
CREATE FUNCTION chain_opened() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' AND (NEW.seq <> 0 OR NEW.head <> chain_genesis(NEW.id)) THEN
    RAISE EXCEPTION 'a chain opens at its genesis' USING ERRCODE = 'MP002';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER chain_opened BEFORE INSERT ON chain FOR EACH ROW EXECUTE FUNCTION chain_opened()
--;
-- The application may lock a chain's row, which takes the right to update a column of it: this one, in vain.
CREATE TRIGGER chain_kind_stays BEFORE UPDATE OF kind ON chain
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER chain_stays BEFORE DELETE OR TRUNCATE ON chain
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
-- An approval binds payee version, amount and milestone: what is bound never changes under it.
CREATE FUNCTION binding_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'payee' THEN
    IF (NEW.project_id, NEW.account_name, NEW.account_no, NEW.bank_name, NEW.entered_by)
       IS DISTINCT FROM (OLD.project_id, OLD.account_name, OLD.account_no, OLD.bank_name, OLD.entered_by) THEN
      RAISE EXCEPTION 'details of a payee never change: enter a new version' USING ERRCODE = 'MP005';
    END IF;
    IF OLD.verified_by IS NOT NULL AND NEW.verified_by IS DISTINCT FROM OLD.verified_by THEN
      RAISE EXCEPTION 'who verified a payee never changes' USING ERRCODE = 'MP005';
    END IF;
  ELSIF TG_TABLE_NAME = 'tranche' THEN
    IF (NEW.project_id, NEW.number, NEW.code, NEW.amount_minor, NEW.currency, NEW.milestone_id, NEW.waits_for,
        NEW.previous_id)
       IS DISTINCT FROM (OLD.project_id, OLD.number, OLD.code, OLD.amount_minor, OLD.currency, OLD.milestone_id,
        OLD.waits_for, OLD.previous_id) THEN
      RAISE EXCEPTION 'an agreed tranche never changes' USING ERRCODE = 'MP005';
    END IF;
  ELSE
    IF (NEW.project_id, NEW.tranche_id, NEW.attempt, NEW.amount_minor, NEW.currency, NEW.milestone_id)
       IS DISTINCT FROM
       (OLD.project_id, OLD.tranche_id, OLD.attempt, OLD.amount_minor, OLD.currency, OLD.milestone_id) THEN
      RAISE EXCEPTION 'a payment is bound to its tranche, sum and milestone' USING ERRCODE = 'MP005';
    END IF;
    IF (NEW.payee_id, NEW.appropriation_id) IS DISTINCT FROM (OLD.payee_id, OLD.appropriation_id)
       AND (OLD.state NOT IN ('planned', 'due') OR NOT EXISTS (
         SELECT 1 FROM payee y WHERE y.id = NEW.payee_id AND y.project_id = NEW.project_id
            AND y.verified_by IS NOT NULL)) THEN
      RAISE EXCEPTION 'a request binds a verified payee of the project and an appropriation, and nothing changes them'
        USING ERRCODE = 'MP005';
    END IF;
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER payee_binding BEFORE UPDATE ON payee FOR EACH ROW EXECUTE FUNCTION binding_stays()
--;
CREATE TRIGGER tranche_binding BEFORE UPDATE ON tranche FOR EACH ROW EXECUTE FUNCTION binding_stays()
--;
CREATE TRIGGER payment_binding BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION binding_stays()
