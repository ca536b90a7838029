"""Files that go to a bank and files that come back: built, checked and read without knowing our books."""
