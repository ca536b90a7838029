ALTER TABLE receipt ADD COLUMN restored_minor BIGINT DEFAULT 0 NOT NULL,
  ADD CONSTRAINT receipt_restored_within CHECK (restored_minor BETWEEN 0 AND taken_minor)
--;
-- A refund comes home by a receipt, to an appropriation in force that the project was paid from, and to no more than
-- it was paid. Asked once the appropriation is locked, so that its year does not close meanwhile.
CREATE FUNCTION refund_comes_home() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM added t JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable'
                   JOIN account c ON c.id = t.credit_id AND c.kind = 'appropriation') THEN
    RETURN NULL;
  END IF;
  PERFORM 1 FROM appropriation a WHERE a.id IN (
      SELECT c.owner_id FROM added t JOIN account c ON c.id = t.credit_id AND c.kind = 'appropriation'
        JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable') ORDER BY a.id FOR SHARE;
  IF EXISTS (SELECT 1 FROM added t JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable'
      JOIN account c ON c.id = t.credit_id AND c.kind = 'appropriation'
      JOIN appropriation a ON a.id = c.owner_id
      JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
     WHERE t.kind <> 'posted' OR t.reverses_id IS NOT NULL OR e.step <> 'receivable.receive' OR a.for_interest
        OR NOT EXISTS (SELECT 1 FROM receipt r WHERE r.receivable_id = e.subject_id
             AND extract(year FROM r.received_on) = a.fiscal_year AND r.restored_minor >= t.amount_minor)
        OR (SELECT coalesce(sum(w.amount_minor), 0) FROM transfer w
             WHERE w.debit_id = t.debit_id AND w.credit_id = t.credit_id)
           > (SELECT coalesce(sum(y.amount_minor), 0) FROM payment y WHERE y.project_id = t.chain_id
               AND y.appropriation_id = a.id AND y.currency = t.currency AND y.state = 'settled')) THEN
    RAISE EXCEPTION 'a refund goes back to an appropriation of its year that it was paid from' USING ERRCODE = 'MP004';
  END IF;
  IF EXISTS (SELECT 1 FROM added t JOIN account c ON c.id = t.credit_id JOIN account d ON d.id = t.debit_id
               JOIN appropriation a ON a.id = c.owner_id WHERE d.kind = 'receivable' AND a.state <> 'voted') THEN
    RAISE EXCEPTION 'the year was closed meanwhile' USING ERRCODE = 'MP006';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER refund_comes_home AFTER INSERT ON transfer REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION refund_comes_home()
