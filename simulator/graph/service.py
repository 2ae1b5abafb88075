from simulator.arm.errors import bad_request
class ResourceGraph:
    def __init__(self, simulator): pass
    def handle(self, request): raise bad_request("BadRequest","not yet")
