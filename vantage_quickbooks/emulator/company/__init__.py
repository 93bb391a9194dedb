"""Companies: their records, the rules that QuickBooks has for them, and where they are stored."""
