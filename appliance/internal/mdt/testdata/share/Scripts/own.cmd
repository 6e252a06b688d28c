@echo own
