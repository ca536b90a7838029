-- Names are compared without blanks, brackets and case: 某某大学（本部） and 某某大学 (本部) are one.
CREATE FUNCTION compared(words text) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS
$$ SELECT nullif(lower(regexp_replace(translate(words, '（），。·', '()   '), '[[:space:](),.]+', '', 'g')), '') $$
--;
-- Who stands behind an application, one row each, from what the application says of itself.
CREATE FUNCTION parties_follow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE chosen uuid;
BEGIN
  IF TG_TABLE_NAME = 'project' THEN chosen := NEW.id; ELSE chosen := NEW.project_id; END IF;
  DELETE FROM project_party WHERE project_id = chosen;
  INSERT INTO project_party (project_id, number, part, name_key, unit_key, person_id, identity_hash)
  SELECT chosen, row_number() OVER (), x.part, x.name_key, x.unit_key, x.person_id, x.identity_hash FROM (
    SELECT 'unit' AS part, NULL AS name_key, compared(p.unit_name) AS unit_key, NULL::uuid AS person_id,
           NULL AS identity_hash FROM project p WHERE p.id = chosen
    UNION ALL
    SELECT 'leader', compared(p.leader_name), compared(p.unit_name), NULL, NULL FROM project p WHERE p.id = chosen
    UNION ALL
    SELECT CASE WHEN m->>'part' IN ('unit', 'leader') THEN m->>'part' ELSE 'member' END, compared(m->>'name'),
           compared(m->>'unit'), (m->>'person_id')::uuid, m->>'identity_hash'
      FROM dossier d CROSS JOIN jsonb_array_elements(d.team) m WHERE d.project_id = chosen
    UNION ALL
    SELECT 'unsuitable', compared(m->>'name'), compared(m->>'unit'), (m->>'person_id')::uuid, NULL
      FROM dossier d CROSS JOIN jsonb_array_elements(d.unsuitable) m WHERE d.project_id = chosen) x;
  RETURN NULL;
END $$
--;
CREATE TRIGGER project_parties_in AFTER INSERT ON project FOR EACH ROW EXECUTE FUNCTION parties_follow()
--;
CREATE TRIGGER project_parties_up AFTER UPDATE OF unit_name, leader_name ON project
FOR EACH ROW EXECUTE FUNCTION parties_follow()
--;
CREATE TRIGGER dossier_parties AFTER INSERT OR UPDATE ON dossier FOR EACH ROW EXECUTE FUNCTION parties_follow()
--;
INSERT INTO project_party (project_id, number, part, name_key, unit_key)
SELECT id, 1, 'unit', NULL, compared(unit_name) FROM project
UNION ALL SELECT id, 2, 'leader', compared(leader_name), compared(unit_name) FROM project
--;
-- Every conflict of some people with some projects on a day, with the rule and the evidence. This is the one
-- place that knows: assigning, drawing, matching and reading all ask it, and it is never stored.
CREATE FUNCTION review_conflicts(projects uuid[], people uuid[], on_day date)
RETURNS TABLE (project_id uuid, person_id uuid, rule text, evidence text) LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  WITH asked AS MATERIALIZED (
    SELECT p.id, p.programme_id, p.call_id, p.office_path,
           on_day - make_interval(years => coalesce((SELECT years FROM conflict_rule r
             WHERE r.programme_id = p.programme_id AND r.rule = 'same_unit'), 3)) AS unit_since,
           on_day - make_interval(years => coalesce((SELECT years FROM conflict_rule r
             WHERE r.programme_id = p.programme_id AND r.rule = 'collaborator'), 3)) AS work_since
      FROM project p WHERE p.id = ANY(projects)),
  party AS MATERIALIZED (
    SELECT y.* FROM project_party y WHERE y.project_id = ANY(projects)),
  who AS MATERIALIZED (
    SELECT n.id, compared(n.name) AS name_key, x.identity_hash
      FROM person n LEFT JOIN expert x ON x.person_id = n.id WHERE n.id = ANY(people)),
  works AS MATERIALIZED (
    SELECT a.* FROM affiliation a WHERE a.person_id = ANY(people)),
  -- The same human being: by account, by identity number, else by name and unit together.
  self AS MATERIALIZED (
    SELECT y.project_id, w.id FROM project_party y JOIN who w ON w.id = y.person_id WHERE y.part <> 'unsuitable'
    UNION SELECT y.project_id, w.id FROM project_party y JOIN who w ON w.identity_hash = y.identity_hash
     WHERE y.part <> 'unsuitable'
    UNION SELECT y.project_id, w.id FROM project_party y JOIN who w ON w.name_key = y.name_key
     JOIN works a ON a.person_id = w.id AND a.unit_key = y.unit_key WHERE y.part IN ('leader', 'member'))
  SELECT DISTINCT ON (f.project_id, f.person_id, f.rule) f.project_id, f.person_id, f.rule, f.evidence FROM (
    SELECT y.project_id, a.person_id, 'same_unit' AS rule, a.unit_name AS evidence
      FROM party y JOIN works a ON a.unit_key = y.unit_key JOIN asked q ON q.id = y.project_id
     WHERE y.part <> 'unsuitable' AND (a.to_on IS NULL OR a.to_on >= q.unit_since)
    UNION ALL
    SELECT s.project_id, s.id, 'own_application', 'team' FROM self s JOIN asked q ON q.id = s.project_id
    UNION ALL
    SELECT q.id, s.id, 'own_competing_application', o.code
      FROM self s JOIN project o ON o.id = s.project_id
      JOIN asked q ON q.id <> o.id AND q.programme_id = o.programme_id AND q.call_id IS NOT DISTINCT FROM o.call_id
     WHERE o.award_minor IS NULL AND o.state NOT IN ('withdrawn', 'declined', 'lapsed', 'terminated', 'revoked')
    UNION ALL
    SELECT y.project_id, t.person_id, t.kind, t.evidence
      FROM party y JOIN asked q ON q.id = y.project_id
      JOIN tie t ON t.person_id = ANY(people) AND t.ended_at IS NULL
       AND (t.other_person_id = y.person_id OR compared(t.other_name) = y.name_key OR t.other_unit_key = y.unit_key)
     WHERE y.part <> 'unsuitable' AND (t.kind <> 'collaborator'
       OR coalesce(t.until_on, t.since_on, t.declared_at::date) >= q.work_since)
    UNION ALL
    SELECT q.id, t.person_id, t.kind, t.evidence FROM asked q
      JOIN tie t ON t.project_id = q.id AND t.person_id = ANY(people) AND t.ended_at IS NULL
    UNION ALL
    SELECT y.project_id, t.other_person_id, t.kind, t.evidence FROM party y JOIN asked q ON q.id = y.project_id
      JOIN tie t ON t.person_id = y.person_id AND t.other_person_id = ANY(people) AND t.ended_at IS NULL
     WHERE y.part <> 'unsuitable' AND (t.kind <> 'collaborator'
       OR coalesce(t.until_on, t.since_on, t.declared_at::date) >= q.work_since)
    UNION ALL
    SELECT q.id, s.id, 'co_applicant', o.code
      FROM self s JOIN project o ON o.id = s.project_id
      JOIN project_party z ON z.project_id = o.id AND z.part IN ('leader', 'member')
      JOIN party y ON y.part IN ('leader', 'member') AND y.project_id <> o.id
       AND (y.person_id = z.person_id OR y.identity_hash = z.identity_hash
            OR (y.name_key = z.name_key AND y.unit_key = z.unit_key))
      JOIN asked q ON q.id = y.project_id
     WHERE (SELECT e.at::date FROM event e WHERE e.chain_id = o.id AND e.seq = 1) >= q.work_since
    UNION ALL
    SELECT y.project_id, w.id, 'named_unsuitable', 'application'
      FROM party y JOIN who w ON w.id = y.person_id OR (y.person_id IS NULL AND w.name_key = y.name_key)
     WHERE y.part = 'unsuitable' AND (y.person_id IS NOT NULL OR y.unit_key IS NULL
       OR EXISTS (SELECT 1 FROM works a WHERE a.person_id = w.id AND a.unit_key = y.unit_key)
       OR NOT EXISTS (SELECT 1 FROM works a WHERE a.person_id = w.id))
    UNION ALL
    SELECT q.id, g.person_id, 'department_staff', g.role FROM asked q
      JOIN role_grant g ON g.person_id = ANY(people) AND g.revoked_at IS NULL
       AND g.role IN ('programme_officer', 'finance_officer', 'supervisor', 'counsel', 'administrator')
       AND (g.project_id = q.id OR starts_with(q.office_path, g.office_path))
  ) f ORDER BY f.project_id, f.person_id, f.rule, f.evidence
$$
--;
-- A conflicted expert gets no task, accepts none and submits none (I4), whoever asks.
CREATE FUNCTION task_without_conflict() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE found text; on_day date;
BEGIN
  SELECT (e.at AT TIME ZONE 'Asia/Shanghai')::date INTO on_day FROM event e
   WHERE e.subject_id = NEW.id ORDER BY e.subject_seq DESC LIMIT 1;
  SELECT string_agg(DISTINCT c.rule, ', ') INTO found
    FROM review_conflicts(ARRAY[NEW.project_id], ARRAY[NEW.expert_id], coalesce(on_day, current_date)) c
   WHERE c.rule <> 'department_staff' OR TG_OP = 'INSERT';
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'the expert has a conflict: %', found USING ERRCODE = 'MP006';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER task_without_conflict_in AFTER INSERT ON task FOR EACH ROW EXECUTE FUNCTION task_without_conflict()
--;
CREATE TRIGGER task_without_conflict_up AFTER UPDATE OF state ON task FOR EACH ROW
WHEN (NEW.state IN ('accepted', 'submitted') AND NEW.state <> OLD.state) EXECUTE FUNCTION task_without_conflict()
--;
-- What was committed before the value was known never changes, and a value is set once.
CREATE FUNCTION draw_stays_committed() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.programme_id, NEW.office_path, NEW.source_kind, NEW.source_name, NEW.source_on, NEW.committed,
      NEW.commitment, NEW.announced_at, NEW.replaces_id)
     IS DISTINCT FROM (OLD.programme_id, OLD.office_path, OLD.source_kind, OLD.source_name, OLD.source_on,
      OLD.committed, OLD.commitment, OLD.announced_at, OLD.replaces_id) THEN
    RAISE EXCEPTION 'what a draw committed to never changes' USING ERRCODE = 'MP007';
  END IF;
  IF OLD.value IS NOT NULL AND (NEW.value, NEW.panels) IS DISTINCT FROM (OLD.value, OLD.panels) THEN
    RAISE EXCEPTION 'a draw is drawn once' USING ERRCODE = 'MP007';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER draw_stays_committed BEFORE UPDATE ON draw FOR EACH ROW EXECUTE FUNCTION draw_stays_committed()
--;
CREATE FUNCTION draw_hash_true() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.commitment <> encode(sha256(NEW.committed), 'hex') OR NEW.value IS NOT NULL THEN
    RAISE EXCEPTION 'a draw begins with the hash of what it commits to, and without a value' USING ERRCODE = 'MP007';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER draw_hash_true BEFORE INSERT ON draw FOR EACH ROW EXECUTE FUNCTION draw_hash_true()
--;
CREATE FUNCTION seat_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n WHERE (pg_current_xact_id()::text)::bigint IS DISTINCT FROM
      (SELECT e.xid FROM event e WHERE e.subject_id = n.draw_id ORDER BY e.subject_seq DESC LIMIT 1)) THEN
    RAISE EXCEPTION 'a row of % was written without an event of its draw', TG_TABLE_NAME USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER draw_seat_needs_event AFTER INSERT ON draw_seat REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION seat_needs_event()
--;
CREATE TRIGGER draw_round_needs_event_in AFTER INSERT ON draw_round REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION seat_needs_event()
--;
CREATE TRIGGER draw_round_needs_event_up AFTER UPDATE ON draw_round REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION seat_needs_event()
