"""The rules as data: the steps of each noun, the guards, the gates and the roles. No I/O."""
