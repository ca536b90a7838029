CREATE FUNCTION states_need_events() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE wrong text; this_xact bigint := (pg_current_xact_id()::text)::bigint;
BEGIN
  CASE TG_ARGV[0]
  --{branches}
  END CASE;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION '%', format(wrong, TG_TABLE_NAME) USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
