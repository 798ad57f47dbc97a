"""For what somebody is called, in which words, how often and when; nothing here sends anything."""
