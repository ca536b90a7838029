-- Names are compared without blanks, brackets, points, dashes, quotation marks, case and width:
-- 某某大学（本部）, 某某大学 (本部) and ＡＢＣ－某某　大学 against abc某某大学 differ in nothing that counts.
CREATE OR REPLACE FUNCTION compared(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT nullif(pg_catalog.translate(pg_catalog.lower(normalize(words, NFKC)),
  U&' \0009\000A\000D\200B\FEFF()[]{}<>.,;:''"`\3008\3009\300A\300B\300C\300D\3010\3011\3014\3015'
  || U&'\3001\3002\00B7\2022\2027\22C5\30FB\2018\2019\201C\201D\00AB\00BB_-\2010\2011\2012\2013\2014\2015\2212',
  ''), '') $$
--;
-- Nobody has to remember how names are compared: what is written is the name, the key follows.
CREATE FUNCTION keyed() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'affiliation' THEN NEW.unit_key := coalesce(compared(NEW.unit_name), '');
  ELSE NEW.other_unit_key := compared(NEW.other_unit_key);
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER affiliation_keyed BEFORE INSERT OR UPDATE ON affiliation FOR EACH ROW EXECUTE FUNCTION keyed()
--;
CREATE TRIGGER tie_keyed BEFORE INSERT ON tie FOR EACH ROW EXECUTE FUNCTION keyed()
--;
UPDATE affiliation SET unit_key = unit_key
--;
UPDATE tie SET other_unit_key = compared(other_unit_key) WHERE other_unit_key IS NOT NULL
--;
CREATE INDEX project_party_identity ON project_party (identity_hash) WHERE identity_hash IS NOT NULL
--;
CREATE INDEX tie_other_person ON tie (other_person_id) WHERE other_person_id IS NOT NULL
--;
CREATE INDEX tie_project ON tie (project_id) WHERE project_id IS NOT NULL
--;
CREATE INDEX event_began_by ON event (actor_id) WHERE seq = 1
--;
-- Every conflict of some people with some projects on a day, with the rule and the evidence. This is the one
-- place that knows: assigning, drawing, matching and reading all ask it, and it is never stored.
CREATE OR REPLACE FUNCTION review_conflicts(projects uuid[], people uuid[], on_day date)
RETURNS TABLE (project_id uuid, person_id uuid, rule text, evidence text) LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  WITH asked AS MATERIALIZED (
    SELECT p.id, p.programme_id, p.call_id, p.office_path,
           (on_day - make_interval(years => coalesce(u.years, 3)))::date AS unit_since,
           (on_day - make_interval(years => coalesce(k.years, 3)))::date AS work_since
      FROM project p
      LEFT JOIN conflict_rule u ON u.programme_id = p.programme_id AND u.rule = 'same_unit'
      LEFT JOIN conflict_rule k ON k.programme_id = p.programme_id AND k.rule = 'collaborator'
     WHERE p.id = ANY(projects)),
  party AS MATERIALIZED (
    SELECT y.*, q.unit_since, q.work_since FROM project_party y JOIN asked q ON q.id = y.project_id),
  -- Ties that stand: those of the people, and those of whoever stands behind a project to one of the people.
  tied AS MATERIALIZED (
    SELECT t.*, compared(t.other_name) AS name_key FROM tie t
     WHERE t.person_id = ANY(people) AND t.ended_at IS NULL),
  back AS MATERIALIZED (
    SELECT t.*, compared(t.other_name) AS name_key FROM tie t
     WHERE t.other_person_id = ANY(people) AND t.ended_at IS NULL
    UNION
    SELECT t.*, compared(t.other_name) FROM tie t
     WHERE t.person_id IN (SELECT y.person_id FROM party y WHERE y.part <> 'unsuitable')
       AND t.other_person_id IS NULL AND t.other_name IS NOT NULL AND t.ended_at IS NULL),
  human AS MATERIALIZED (
    SELECT n.id, n.id = ANY(people) AS asked, compared(n.name) AS name_key, x.identity_hash
      FROM person n LEFT JOIN expert x ON x.person_id = n.id
     WHERE n.id IN (SELECT unnest(people) UNION SELECT t.other_person_id FROM tied t
                    UNION SELECT t.person_id FROM back t WHERE t.other_person_id IS NOT NULL)),
  works AS MATERIALIZED (
    SELECT a.person_id, a.unit_name, a.unit_key, a.to_on, h.asked, h.name_key
      FROM human h JOIN affiliation a ON a.person_id = h.id),
  -- The same human being behind any application: by account, by identity number, by name and unit together.
  same AS MATERIALIZED (
    SELECT y.project_id, y.number, h.id, h.asked FROM human h JOIN project_party y ON y.person_id = h.id
     WHERE y.part <> 'unsuitable'
    UNION
    SELECT y.project_id, y.number, h.id, h.asked
      FROM human h JOIN project_party y ON y.identity_hash = h.identity_hash WHERE y.part <> 'unsuitable'
    UNION
    SELECT y.project_id, y.number, w.person_id, w.asked
      FROM works w JOIN project_party y ON y.name_key = w.name_key AND y.unit_key = w.unit_key
     WHERE y.part IN ('leader', 'member')),
  -- An applicant's account: who filed the application, and who holds the grantee's role for it.
  account AS MATERIALIZED (
    SELECT e.chain_id AS project_id, e.actor_id AS id FROM event e
     WHERE e.actor_id = ANY(people) AND e.seq = 1 AND e.noun = 'project'
       AND e.role IN ('applicant', 'principal_investigator')
    UNION
    SELECT g.project_id, g.person_id FROM role_grant g
     WHERE g.person_id = ANY(people) AND g.revoked_at IS NULL AND g.project_id IS NOT NULL
       AND g.role IN ('applicant', 'principal_investigator')),
  own AS MATERIALIZED (
    SELECT s.project_id, s.id, 'team' AS how FROM same s WHERE s.asked
    UNION SELECT c.project_id, c.id, 'account' FROM account c),
  -- Work that was done together: applications of the last years, and awards that still run.
  joint AS MATERIALIZED (
    SELECT s.project_id, s.id, o.code,
           CASE WHEN o.award_minor IS NOT NULL AND o.state <> 'archived' AND o.state NOT LIKE 'closed%'
                 AND o.state NOT IN ('withdrawn', 'declined', 'lapsed', 'terminated', 'revoked')
             THEN 'infinity'::date ELSE (e.at AT TIME ZONE 'Asia/Shanghai')::date END AS last_on
      FROM (SELECT DISTINCT s.project_id, s.id FROM same s WHERE s.asked) s
      JOIN project o ON o.id = s.project_id JOIN event e ON e.chain_id = o.id AND e.seq = 1),
  fellow AS MATERIALIZED (
    SELECT j.project_id, j.id, j.code, j.last_on, z.name_key, z.unit_key, z.person_id, z.identity_hash
      FROM joint j JOIN project_party z ON z.project_id = j.project_id AND z.part IN ('leader', 'member')
     WHERE NOT EXISTS (SELECT 1 FROM same s WHERE s.project_id = z.project_id AND s.number = z.number
                         AND s.id = j.id)),
  met AS (
    SELECT f.*, y.project_id AS of_project, y.work_since FROM fellow f JOIN party y ON y.person_id = f.person_id
     WHERE y.part IN ('leader', 'member')
    UNION ALL
    SELECT f.*, y.project_id, y.work_since FROM fellow f JOIN party y ON y.identity_hash = f.identity_hash
     WHERE y.part IN ('leader', 'member')
    UNION ALL
    SELECT f.*, y.project_id, y.work_since
      FROM fellow f JOIN party y ON y.name_key = f.name_key AND y.unit_key = f.unit_key
     WHERE y.part IN ('leader', 'member')),
  -- To whom behind a project somebody is tied: by account, by name (with the unit, where one was declared).
  bound AS (
    SELECT y.project_id, y.work_since, t.person_id, t.kind, t.until_on, t.evidence FROM tied t
      JOIN same s ON s.id = t.other_person_id
      JOIN party y ON y.project_id = s.project_id AND y.number = s.number
    UNION ALL
    SELECT y.project_id, y.work_since, t.person_id, t.kind, t.until_on, t.evidence FROM tied t
      JOIN party y ON y.name_key = t.name_key AND y.part <> 'unsuitable'
     WHERE (t.other_unit_key IS NULL OR y.unit_key IS NULL OR t.other_unit_key = y.unit_key)
       AND (t.other_person_id IS NULL OR y.person_id IS NULL OR t.other_person_id = y.person_id)
    UNION ALL
    SELECT y.project_id, y.work_since, t.person_id, t.kind, t.until_on, t.evidence FROM tied t
      JOIN party y ON y.unit_key = t.other_unit_key AND y.part <> 'unsuitable'
     WHERE t.name_key IS NULL AND t.other_person_id IS NULL
    UNION ALL
    SELECT y.project_id, y.work_since, t.other_person_id, t.kind, t.until_on, t.evidence FROM back t
      JOIN same s ON s.id = t.person_id
      JOIN party y ON y.project_id = s.project_id AND y.number = s.number
     WHERE t.other_person_id IS NOT NULL
    UNION ALL
    SELECT y.project_id, y.work_since, h.id, t.kind, t.until_on, t.evidence FROM back t
      JOIN party y ON y.person_id = t.person_id AND y.part <> 'unsuitable'
      JOIN human h ON h.name_key = t.name_key AND h.asked
     WHERE t.other_person_id IS NULL AND (t.other_unit_key IS NULL
       OR NOT EXISTS (SELECT 1 FROM works w WHERE w.person_id = h.id)
       OR EXISTS (SELECT 1 FROM works w WHERE w.person_id = h.id AND w.unit_key = t.other_unit_key)))
  SELECT DISTINCT ON (f.project_id, f.person_id, f.rule) f.project_id, f.person_id, f.rule, f.evidence FROM (
    SELECT y.project_id, w.person_id, 'same_unit' AS rule,
           w.unit_name || coalesce(' (–' || to_char(w.to_on, 'YYYY-MM-DD') || ')', '') AS evidence
      FROM party y JOIN works w ON w.unit_key = y.unit_key
     WHERE w.asked AND y.part <> 'unsuitable' AND (w.to_on IS NULL OR w.to_on >= y.unit_since)
    UNION ALL
    SELECT o.project_id, o.id, 'own_application', o.how FROM own o JOIN asked q ON q.id = o.project_id
    UNION ALL
    SELECT q.id, c.id, 'own_competing_application', o.code FROM own c JOIN project o ON o.id = c.project_id
      JOIN asked q ON q.programme_id = o.programme_id AND q.call_id IS NOT DISTINCT FROM o.call_id
     WHERE q.id <> o.id AND o.award_minor IS NULL
       AND o.state NOT IN ('withdrawn', 'declined', 'lapsed', 'terminated', 'revoked')
    UNION ALL
    SELECT b.project_id, b.person_id, b.kind, b.evidence FROM bound b
     WHERE b.kind <> 'collaborator' OR b.until_on IS NULL OR b.until_on >= b.work_since
    UNION ALL
    SELECT q.id, t.person_id, t.kind, t.evidence FROM tied t JOIN asked q ON q.id = t.project_id
    UNION ALL
    SELECT m.of_project, m.id, 'co_applicant', m.code FROM met m
     WHERE m.of_project <> m.project_id AND m.last_on >= m.work_since
    UNION ALL
    SELECT y.project_id, y.person_id, 'named_unsuitable', 'application' FROM party y
     WHERE y.part = 'unsuitable' AND y.person_id = ANY(people)
    UNION ALL
    SELECT y.project_id, h.id, 'named_unsuitable', 'application'
      FROM party y JOIN human h ON h.name_key = y.name_key AND h.asked
     WHERE y.part = 'unsuitable' AND y.person_id IS NULL AND (y.unit_key IS NULL
       OR NOT EXISTS (SELECT 1 FROM works w WHERE w.person_id = h.id)
       OR EXISTS (SELECT 1 FROM works w WHERE w.person_id = h.id AND w.unit_key = y.unit_key))
    UNION ALL
    SELECT q.id, g.person_id, 'department_staff', g.role || ' ' || coalesce(g.office_path, q.office_path)
      FROM role_grant g JOIN asked q ON g.project_id = q.id OR starts_with(q.office_path, g.office_path)
     WHERE g.person_id = ANY(people) AND g.revoked_at IS NULL
       AND g.role IN ('programme_officer', 'finance_officer', 'supervisor', 'counsel', 'administrator')
  ) f ORDER BY f.project_id, f.person_id, f.rule, f.evidence COLLATE "C"
$$
--;
DROP TRIGGER task_without_conflict_up ON task
--;
CREATE TRIGGER task_without_conflict_up AFTER UPDATE OF state, expert_id, project_id ON task FOR EACH ROW
WHEN (NEW.expert_id <> OLD.expert_id OR NEW.project_id <> OLD.project_id
      OR NEW.state IN ('accepted', 'submitted') AND NEW.state <> OLD.state)
EXECUTE FUNCTION task_without_conflict()
