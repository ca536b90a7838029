-- How many people of which role approve a payment of a sum: the highest tier below it; one finance officer
-- where the programme's file says nothing.
CREATE FUNCTION approvals_needed(of_version uuid, of_amount bigint) RETURNS jsonb LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT coalesce(
    (SELECT t -> 'approvers' FROM programme_version v CROSS JOIN LATERAL jsonb_array_elements(v.approvals) t
      WHERE v.id = of_version AND (t ->> 'above_minor')::bigint < of_amount
      ORDER BY (t ->> 'above_minor')::bigint DESC LIMIT 1),
    '{"finance_officer": 1}'::jsonb)
$$
--;
-- An approval is a duty with the event of the very person in the very role. From before roles were noted with
-- duties, it was a finance officer's.
CREATE FUNCTION approvals_missing(of_payment uuid) RETURNS TABLE (wanted text, missing integer) LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT n.key, n.value::integer - count(d.person_id)::integer
    FROM payment y JOIN project p ON p.id = y.project_id
   CROSS JOIN LATERAL jsonb_each_text(approvals_needed(p.programme_id, y.amount_minor)) n
    LEFT JOIN duty d ON d.payment_id = y.id AND d.duty = 'approver'
     AND coalesce(d.role, 'finance_officer') = n.key
     AND EXISTS (SELECT 1 FROM event e WHERE e.subject_id = y.id AND e.step = 'payment.approve'
                  AND e.actor_id = d.person_id AND e.role = coalesce(d.role, e.role))
   WHERE y.id = of_payment
   GROUP BY n.key, n.value
  HAVING n.value::integer > count(d.person_id)
$$
--;
-- At the end of the statement, so that the last approval may come with the state it leads to.
CREATE FUNCTION payment_needs_approvals() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM approvals_missing(NEW.id)) THEN
    RAISE EXCEPTION 'a payment is % before enough people have approved it', NEW.state USING ERRCODE = 'MP008';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER payment_needs_approvals AFTER UPDATE ON payment FOR EACH ROW
WHEN (NEW.state IN ('approved', 'released', 'instructed') AND NEW.state IS DISTINCT FROM OLD.state)
EXECUTE FUNCTION payment_needs_approvals()
