"""QuickBooks Online connector for pluggy hosts."""
