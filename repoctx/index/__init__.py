"""Which chunks contain it, and which resemble it?"""
